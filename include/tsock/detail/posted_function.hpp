#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

namespace tsock::inline v0::detail {

/// A function on its way from another thread to the loop.
class PostedFunction {
 public:
  /// Functions up to this size use blocks that circulate between posting threads and the loop.
  static constexpr std::size_t block_size = 64;

  explicit PostedFunction(bool in_block) noexcept : in_block_(in_block) {}
  PostedFunction(const PostedFunction&) = delete;
  PostedFunction& operator=(const PostedFunction&) = delete;
  virtual ~PostedFunction() = default;
  virtual void run() = 0;
  [[nodiscard]] bool in_block() const noexcept { return in_block_; }

  PostedFunction* next = nullptr;

 private:
  bool in_block_;
};

template <class F>
class PostedCallable final : public PostedFunction {
  static_assert(std::is_invocable_v<F&>, "tsock: Loop::post(function): the function takes no argument");

 public:
  explicit PostedCallable(F function) : PostedFunction(fits_block()), function_(std::move(function)) {}
  void run() override { function_(); }

  /// Whether it is stored in a block; an exception must not leak the block.
  static constexpr bool fits_block() noexcept {
    return sizeof(PostedCallable) <= block_size &&
           alignof(PostedCallable) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__ &&
           std::is_nothrow_move_constructible_v<F>;
  }

 private:
  F function_;
};

}  // namespace tsock::inline v0::detail
