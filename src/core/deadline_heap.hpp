#pragma once

#include <cstdint>
#include <tsock/detail/request_state.hpp>
#include <vector>

namespace tsock::detail {

/// The deadlines of a loop's requests: a four-ary heap; each request knows its index, so removing needs no
/// search.
class DeadlineHeap {
 public:
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  [[nodiscard]] Clock::time_point earliest() const noexcept { return entries_.front().when; }
  [[nodiscard]] RequestState& first() const noexcept { return *entries_.front().state; }
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

  /// Sets or replaces the deadline of `state`.
  void set(RequestState& state, Clock::time_point when);
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
  void sift_up(std::size_t index, Entry entry) noexcept;
  void sift_down(std::size_t index, Entry entry) noexcept;

  std::vector<Entry> entries_;
};

}  // namespace tsock::detail
