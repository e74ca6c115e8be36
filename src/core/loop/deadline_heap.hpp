#pragma once

#include <cstddef>
#include <cstdint>
#include <tsock/detail/request_state.hpp>
#include <vector>

namespace tsock::inline v0::detail {

/// The deadlines of a loop's requests: a four-ary heap, followed in the same vector by the deadlines that
/// were set since `earliest()` was last called. Most are cleared before the next call and never enter the
/// heap. Each request knows its index, so nothing is searched for.
class DeadlineHeap {
 public:
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  /// \pre not empty
  [[nodiscard]] Clock::time_point earliest() noexcept {
    sort_in();
    return entries_.front().when;
  }
  /// The request with the earliest deadline. \pre no deadline was set since the last call of `earliest()`
  [[nodiscard]] RequestState& first() const noexcept { return *entries_.front().state; }
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

  /// Sets or replaces the deadline of `state`.
  void set(RequestState& state, Clock::time_point when) {
    if (state.deadline_index_ == RequestState::no_deadline) [[likely]] {
      entries_.push_back({when, &state});
      state.deadline_index_ = static_cast<std::uint32_t>(entries_.size() - 1);
    } else {
      move(state.deadline_index_, when);
    }
  }
  void remove(RequestState& state) noexcept;

 private:
  struct Entry {
    Clock::time_point when;
    RequestState* state;
  };
  static constexpr std::size_t arity = 4;

  void place(std::size_t index, Entry entry) noexcept {
    entries_[index] = entry;
    entry.state->deadline_index_ = static_cast<std::uint32_t>(index);
  }
  void move(std::size_t index, Clock::time_point when) noexcept;
  void sort_in() noexcept;
  void sift(std::size_t index, Entry entry) noexcept;
  void sift_up(std::size_t index, Entry entry) noexcept;
  void sift_down(std::size_t index, Entry entry) noexcept;

  std::vector<Entry> entries_;
  std::size_t sorted_ = 0;  // entries at the front that form the heap
};

}  // namespace tsock::inline v0::detail
