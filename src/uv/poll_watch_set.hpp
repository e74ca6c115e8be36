#pragma once

#include <uv.h>

#include <vector>

#include "uv/watch_set.hpp"

namespace tsock::inline v0::detail {

/// A `uv_poll_t` for each descriptor.
class PollWatchSet final : public WatchSet {
 public:
  explicit PollWatchSet(LoopImpl& loop) noexcept : loop_(&loop) {}

  int add(FdWatch& watch, os::FdEvents& interests) noexcept override;
  void change(FdWatch& watch, os::FdEvents interests) noexcept override;
  void hand_over(FdWatch& from, FdWatch& to, os::FdEvents& interests) noexcept override;
  void remove(FdWatch& watch) noexcept override;
  int after_fork_in_child() noexcept override { return 0; }
  unsigned close(uv_close_cb /*closed*/) noexcept override { return 0; }

 private:
  [[nodiscard]] uv_poll_t*& handle_of(const FdWatch& watch) noexcept;

  LoopImpl* loop_;
  std::vector<uv_poll_t*> handles_;  // by descriptor; in the loop's pool until libuv has closed them
};

}  // namespace tsock::inline v0::detail
