#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <tsock/export.hpp>
#include <type_traits>
#include <utility>

namespace tsock::inline v0::detail {

class LoopCore;

TSOCK_EXPORT void* allocate_block(LoopCore& core, std::size_t size);
TSOCK_EXPORT void free_block(LoopCore& core, void* block, std::size_t size) noexcept;

/// A move-only `void(void*)` whose callable is stored inside the object if it fits, else in a block of the
/// loop's pool, so that a completion needs no heap.
class InlineFunction {
 public:
  static constexpr std::size_t capacity = 24;

  InlineFunction() noexcept = default;
  InlineFunction(InlineFunction&& other) noexcept { take(other); }
  InlineFunction& operator=(InlineFunction&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  InlineFunction(const InlineFunction&) = delete;
  InlineFunction& operator=(const InlineFunction&) = delete;
  ~InlineFunction() { reset(); }

  /// Replaces the callable; the old one is destroyed first.
  template <class Function>
  void emplace(LoopCore& core, Function&& function) {
    reset();
    emplace_first(core, std::forward<Function>(function));
  }

  /// Sets the callable where there is none.
  template <class Function>
  void emplace_first(LoopCore& core, Function&& function) {
    put<true>(core, std::forward<Function>(function));
  }
  /// As above, for a callable that only `call_once()` will call, so that it can be compiled into that.
  template <class Function>
  void emplace_for_one_call(LoopCore& core, Function&& function) {
    put<false>(core, std::forward<Function>(function));
  }

  explicit operator bool() const noexcept { return operations_ != nullptr; }
  void operator()(void* argument) { operations_->invoke(storage_, argument); }
  /// Moves the callable out, runs it and destroys it. It may destroy this object, or set another callable.
  void call_once(void* argument) { std::exchange(operations_, nullptr)->call_once(storage_, argument); }

  void reset() noexcept {
    if (operations_ != nullptr) {
      if (operations_->destroy != nullptr) operations_->destroy(storage_);
      operations_ = nullptr;
    }
  }

 private:
  struct Operations {
    void (*invoke)(void* storage, void* argument);  // null: for one call
    void (*call_once)(void* storage, void* argument);
    void (*relocate)(void* from, void* to) noexcept;  // null: the bytes can be copied
    void (*destroy)(void* storage) noexcept;          // null: nothing to do
  };
  /// A callable that does not fit, with the pool it came from.
  template <class F>
  struct Boxed {
    template <class Function>
    Boxed(LoopCore& owner, Function&& callable) : core(&owner), function(std::forward<Function>(callable)) {}
    LoopCore* core;
    F function;
  };

  template <class F>
  static constexpr bool fits = sizeof(F) <= capacity &&
                               alignof(F) <= alignof(void*) && std::is_nothrow_move_constructible_v<F>;
  template <class F>
  static constexpr bool trivial = std::is_trivially_copyable_v<F>&& std::is_trivially_destructible_v<F>;
  // The pool aligns as the heap does by default.
  template <class F>
  static constexpr bool pooled = alignof(F) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__;

  template <class F, class Function>
  static Boxed<F>* make_boxed(LoopCore& core, Function&& function) {
    if constexpr (pooled<F>) {
      void* const block = allocate_block(core, sizeof(Boxed<F>));
      try {
        return ::new (block) Boxed<F>(core, std::forward<Function>(function));
      } catch (...) {
        free_block(core, block, sizeof(Boxed<F>));
        throw;
      }
    } else {
      return std::make_unique<Boxed<F>>(core, std::forward<Function>(function)).release();
    }
  }

  template <class F>
  static F* object(void* storage) noexcept {
    return std::launder(static_cast<F*>(storage));
  }
  template <class F>
  static void invoke_inline(void* storage, void* argument) {
    (*object<F>(storage))(argument);
  }
  template <class F>
  static void call_once_inline(void* storage, void* argument) {
    F function(std::move(*object<F>(storage)));
    object<F>(storage)->~F();
    function(argument);
  }
  template <class F>
  static void relocate_inline(void* from, void* to) noexcept {
    ::new (to) F(std::move(*object<F>(from)));
    object<F>(from)->~F();
  }
  template <class F>
  static void destroy_inline(void* storage) noexcept {
    object<F>(storage)->~F();
  }
  template <class F>
  static void invoke_boxed(void* storage, void* argument) {
    (*object<Boxed<F>*>(storage))->function(argument);
  }
  template <class F>
  static void call_once_boxed(void* storage, void* argument) {
    struct Owner {
      Boxed<F>* boxed;
      ~Owner() { destroy_boxed<F>(&boxed); }
    };
    const Owner owner{*object<Boxed<F>*>(storage)};
    owner.boxed->function(argument);
  }
  template <class F>
  static void destroy_boxed(void* storage) noexcept {
    Boxed<F>* const boxed = *object<Boxed<F>*>(storage);
    if constexpr (pooled<F>) {
      LoopCore& core = *boxed->core;
      boxed->~Boxed<F>();
      free_block(core, boxed, sizeof(Boxed<F>));
    } else {
      const std::unique_ptr<Boxed<F>> owner(boxed);
    }
  }

  template <class F, bool again>
  static constexpr Operations operations() noexcept {
    Operations result{nullptr, &call_once_inline<F>, nullptr, nullptr};
    if constexpr (again) result.invoke = &invoke_inline<F>;
    if constexpr (!trivial<F>) {
      result.relocate = &relocate_inline<F>;
      result.destroy = &destroy_inline<F>;
    }
    return result;
  }
  template <class F, bool again>
  static constexpr Operations operations_of_boxed() noexcept {
    Operations result{nullptr, &call_once_boxed<F>, nullptr, &destroy_boxed<F>};
    if constexpr (again) result.invoke = &invoke_boxed<F>;
    return result;
  }
  template <class F, bool again>
  static constexpr Operations inline_operations = operations<F, again>();
  template <class F, bool again>
  static constexpr Operations boxed_operations = operations_of_boxed<F, again>();

  template <bool again, class Function>
  void put(LoopCore& core, Function&& function) {
    using F = std::remove_cvref_t<Function>;
    static_assert(std::is_invocable_v<F&, void*>);
    if constexpr (fits<F>) {
      ::new (static_cast<void*>(storage_)) F(std::forward<Function>(function));
      operations_ = &inline_operations<F, again>;
    } else {
      ::new (static_cast<void*>(storage_)) Boxed<F>*(make_boxed<F>(core, std::forward<Function>(function)));
      operations_ = &boxed_operations<F, again>;
    }
  }

  void take(InlineFunction& other) noexcept {
    operations_ = other.operations_;
    if (operations_ == nullptr) return;
    if (operations_->relocate == nullptr) {
      std::memcpy(storage_, other.storage_, capacity);
    } else {
      operations_->relocate(other.storage_, storage_);
    }
    other.operations_ = nullptr;
  }

  alignas(void*) std::byte storage_[capacity];
  const Operations* operations_ = nullptr;
};

}  // namespace tsock::inline v0::detail
