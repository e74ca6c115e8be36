#include "core/loop/deadline_heap.hpp"

#include <algorithm>

namespace tsock::inline v0::detail {

void DeadlineHeap::move(std::size_t index, Clock::time_point when) noexcept {
  const Entry entry{when, entries_[index].state};
  if (index < sorted_) {
    sift(index, entry);
  } else {
    entries_[index] = entry;
  }
}

void DeadlineHeap::remove(RequestState& state) noexcept {
  std::size_t hole = state.deadline_index_;
  if (hole == RequestState::no_deadline) return;
  state.deadline_index_ = RequestState::no_deadline;
  if (hole < sorted_) {
    const Entry last = entries_[--sorted_];
    if (hole != sorted_) sift(hole, last);
    hole = sorted_;
  }
  const Entry last = entries_.back();
  entries_.pop_back();
  if (hole != entries_.size()) place(hole, last);
}

void DeadlineHeap::sort_in() noexcept {
  while (sorted_ != entries_.size()) {
    const std::size_t index = sorted_++;
    sift_up(index, entries_[index]);
  }
}

// Moves the entry from the hole at `index`, up or down, to its place.
void DeadlineHeap::sift(std::size_t index, Entry entry) noexcept {
  if (index > 0 && entry.when < entries_[(index - 1) / arity].when) {
    sift_up(index, entry);
  } else {
    sift_down(index, entry);
  }
}

void DeadlineHeap::sift_up(std::size_t index, Entry entry) noexcept {
  while (index > 0) {
    const std::size_t parent = (index - 1) / arity;
    if (entries_[parent].when <= entry.when) break;
    place(index, entries_[parent]);
    index = parent;
  }
  place(index, entry);
}

void DeadlineHeap::sift_down(std::size_t index, Entry entry) noexcept {
  for (;;) {
    const std::size_t first = index * arity + 1;
    if (first >= sorted_) break;
    const std::size_t end = std::min(first + arity, sorted_);
    std::size_t least = first;
    for (std::size_t child = first + 1; child < end; ++child) {
      if (entries_[child].when < entries_[least].when) least = child;
    }
    if (entry.when <= entries_[least].when) break;
    place(index, entries_[least]);
    index = least;
  }
  place(index, entry);
}

}  // namespace tsock::inline v0::detail
