#pragma once

#include <atomic>
#include <cstddef>
#include <tsock/detail/posted_function.hpp>

namespace tsock::inline v0::detail {

/// Functions that other threads post to the loop, in the order of their arrival: a lock-free list. While the
/// loop works on the list, posting does not wake the loop; it looks again before it sleeps. Blocks of
/// functions that have run return to the posting threads, so that the heap does not pass memory from thread
/// to thread.
class PostQueue {
 public:
  PostQueue() = default;
  PostQueue(const PostQueue&) = delete;
  PostQueue& operator=(const PostQueue&) = delete;
  ~PostQueue();

  // From any thread.
  /// A block of `PostedFunction::block_size` bytes. \throws std::bad_alloc
  [[nodiscard]] void* take_block();
  /// \return whether the loop has to be woken.
  bool push(PostedFunction& function) noexcept;

  // On the loop's thread.
  [[nodiscard]] bool has_functions() const noexcept {
    return posted_.load(std::memory_order_acquire) != nullptr;
  }
  /// Takes all functions, oldest first; null if there are none. The loop counts as awake from here on.
  [[nodiscard]] PostedFunction* take() noexcept;
  /// Marks the loop as asleep. \return false if functions came meanwhile: the loop stays awake then
  bool sleep() noexcept;
  /// Destroys a function that was taken.
  void dispose(PostedFunction& function) noexcept;

 private:
  struct Block {
    Block* next;
  };
  /// Marks the end of the list while the loop is awake.
  class Awake final : public PostedFunction {
   public:
    Awake() noexcept : PostedFunction(false) {}
    void run() override {}
  };
  static constexpr std::size_t cache_line = 64;
  static constexpr std::size_t most_kept = 1024;

  static void free_blocks(Block* block) noexcept;

  Awake awake_;
  alignas(cache_line) std::atomic<PostedFunction*> posted_{nullptr};
  // Blocks on their way back: the loop stores a list here when there is none, a posting thread takes them
  // all.
  alignas(cache_line) std::atomic<Block*> returned_{nullptr};
  // Used by the posting thread that holds the flag; one that finds it held uses the heap instead of waiting.
  alignas(cache_line) std::atomic_flag blocks_taken_ = ATOMIC_FLAG_INIT;
  Block* blocks_ = nullptr;
  // Used on the loop's thread.
  alignas(cache_line) Block* kept_ = nullptr;
  std::size_t kept_count_ = 0;
};

}  // namespace tsock::inline v0::detail
