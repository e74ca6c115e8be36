#include "core/loop/post_queue.hpp"

#include <memory>
#include <new>
#include <utility>

namespace tsock::inline v0::detail {

PostQueue::~PostQueue() {
  while (PostedFunction* function = take()) {
    while (function != nullptr) dispose(*std::exchange(function, function->next));
  }
  free_blocks(returned_.load(std::memory_order_acquire));
  free_blocks(blocks_);
  free_blocks(kept_);
}

void PostQueue::free_blocks(Block* block) noexcept {
  while (block != nullptr) ::operator delete(std::exchange(block, block->next));
}

void* PostQueue::take_block() {
  if (!blocks_taken_.test_and_set(std::memory_order_acquire)) {
    if (blocks_ == nullptr) blocks_ = returned_.exchange(nullptr, std::memory_order_acquire);
    Block* const block = blocks_;
    if (block != nullptr) blocks_ = block->next;
    blocks_taken_.clear(std::memory_order_release);
    if (block != nullptr) return block;
  }
  return ::operator new(PostedFunction::block_size);
}

bool PostQueue::push(PostedFunction& function) noexcept {
  PostedFunction* head = posted_.load(std::memory_order_relaxed);
  do {
    function.next = head;
  } while (
      !posted_.compare_exchange_weak(head, &function, std::memory_order_release, std::memory_order_relaxed));
  return head == nullptr;
}

PostedFunction* PostQueue::take() noexcept {
  PostedFunction* newest = posted_.exchange(&awake_, std::memory_order_acquire);
  PostedFunction* oldest = nullptr;
  while (newest != nullptr && newest != &awake_) {
    PostedFunction* const next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  return oldest;
}

bool PostQueue::sleep() noexcept {
  PostedFunction* expected = &awake_;
  return posted_.compare_exchange_strong(expected, nullptr, std::memory_order_acq_rel);
}

void PostQueue::dispose(PostedFunction& function) noexcept {
  if (!function.in_block()) {
    const std::unique_ptr<PostedFunction> owner(&function);
    return;
  }
  function.~PostedFunction();
  void* const memory = &function;
  if (kept_count_ == most_kept) {
    ::operator delete(memory);
  } else {
    kept_ = ::new (memory) Block{kept_};
    ++kept_count_;
  }
  if (kept_count_ >= most_kept / 4 && returned_.load(std::memory_order_relaxed) == nullptr) {
    returned_.store(std::exchange(kept_, nullptr), std::memory_order_release);
    kept_count_ = 0;
  }
}

}  // namespace tsock::inline v0::detail
