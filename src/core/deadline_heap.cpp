#include "core/deadline_heap.hpp"

#include <algorithm>

namespace tsock::detail {

void DeadlineHeap::set(RequestState& state, Clock::time_point when) {
  const Entry entry{when, &state};
  if (state.deadline_index_ == RequestState::no_deadline) {
    entries_.push_back(entry);
    sift_up(entries_.size() - 1, entry);
    return;
  }
  const std::size_t index = state.deadline_index_;
  if (when < entries_[index].when) {
    sift_up(index, entry);
  } else {
    sift_down(index, entry);
  }
}

void DeadlineHeap::remove(RequestState& state) noexcept {
  const std::size_t index = state.deadline_index_;
  if (index == RequestState::no_deadline) return;
  state.deadline_index_ = RequestState::no_deadline;
  const Entry last = entries_.back();
  entries_.pop_back();
  if (index == entries_.size()) return;
  if (index > 0 && last.when < entries_[(index - 1) / arity].when) {
    sift_up(index, last);
  } else {
    sift_down(index, last);
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
    if (first >= entries_.size()) break;
    const std::size_t end = std::min(first + arity, entries_.size());
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

}  // namespace tsock::detail
