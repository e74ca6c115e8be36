#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace tsock::detail {

/// A move-only `void(void*)` whose callable lives inside the object when it fits, so that a completion needs
/// no heap. A larger callable is kept in one heap block.
class InlineFunction {
 public:
  static constexpr std::size_t capacity = 40;

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
  void emplace(Function&& function) {
    using F = std::remove_cvref_t<Function>;
    static_assert(std::is_invocable_v<F&, void*>);
    reset();
    if constexpr (fits<F>) {
      ::new (static_cast<void*>(storage_)) F(std::forward<Function>(function));
      operations_ = &inline_operations<F>;
    } else {
      ::new (static_cast<void*>(storage_))
          F*(std::make_unique<F>(std::forward<Function>(function)).release());
      operations_ = &heap_operations<F>;
    }
  }

  explicit operator bool() const noexcept { return operations_ != nullptr; }
  void operator()(void* argument) { operations_->invoke(storage_, argument); }

  void reset() noexcept {
    if (operations_ != nullptr) {
      if (operations_->destroy != nullptr) operations_->destroy(storage_);
      operations_ = nullptr;
    }
  }

 private:
  struct Operations {
    void (*invoke)(void* storage, void* argument);
    void (*relocate)(void* from, void* to) noexcept;  // null: the bytes can be copied
    void (*destroy)(void* storage) noexcept;          // null: nothing to do
  };

  template <class F>
  static constexpr bool fits = sizeof(F) <= capacity &&
                               alignof(F) <= alignof(void*) && std::is_nothrow_move_constructible_v<F>;
  template <class F>
  static constexpr bool trivial = std::is_trivially_copyable_v<F>&& std::is_trivially_destructible_v<F>;

  template <class F>
  static F* object(void* storage) noexcept {
    return std::launder(static_cast<F*>(storage));
  }
  template <class F>
  static void invoke_inline(void* storage, void* argument) {
    (*object<F>(storage))(argument);
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
  static void invoke_heap(void* storage, void* argument) {
    (**object<F*>(storage))(argument);
  }
  template <class F>
  static void destroy_heap(void* storage) noexcept {
    const std::unique_ptr<F> owner(*object<F*>(storage));
  }

  template <class F>
  static constexpr Operations inline_operations{&invoke_inline<F>, trivial<F> ? nullptr : &relocate_inline<F>,
                                                trivial<F> ? nullptr : &destroy_inline<F>};
  template <class F>
  static constexpr Operations heap_operations{&invoke_heap<F>, nullptr, &destroy_heap<F>};

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

}  // namespace tsock::detail
