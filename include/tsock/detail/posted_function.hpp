#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

namespace tsock::detail {

/// A function on its way from another thread to the loop.
class PostedFunction {
 public:
  /// Functions up to this size lie in blocks that go round between those who post and the loop.
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
 public:
  explicit PostedCallable(F function) : PostedFunction(fits_block()), function_(std::move(function)) {}
  void run() override { function_(); }

  /// Whether it goes into a block; the block is not lost to an exception then.
  static constexpr bool fits_block() noexcept {
    return sizeof(PostedCallable) <= block_size &&
           alignof(PostedCallable) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__ &&
           std::is_nothrow_move_constructible_v<F>;
  }

 private:
  F function_;
};

}  // namespace tsock::detail
