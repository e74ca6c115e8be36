#pragma once

#include <new>
#include <tsock/exit_status.hpp>
#include <tsock/unique_fd.hpp>

#include "core/loop/loop_core.hpp"
#include "uv/fd_watcher.hpp"
#include "uv/os/child.hpp"

namespace tsock::inline v0::detail {

class ChildWatch;

/// Waits for the exit of a child process.
class ExitState : public ResultState<ExitStatus> {
 public:
  ExitState(LoopCore& core, CallSite site) : ResultState(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return "wait_for_exit"; }
  void interrupt(int err) override;
  void describe(std::ostream& out) const override;

 private:
  void on_delivery() noexcept override { leave(); }
  void on_abandon() noexcept override { leave(); }
  void leave() noexcept;
  friend class ChildWatch;
  struct Place : ListNode {
    ExitState* state = nullptr;
  };
  ChildWatch* watch_ = nullptr;
  Place place_;  // in the list of requests that wait
};

/// Keeps an eye on a child process until it was waited for, also when its ChildProcess is gone. It lies in
/// the loop's pool.
class ChildWatch final : public LoopResource, private FdWatcher<ChildWatch> {
 public:
  /// Null, with `err`, when the descriptor cannot be watched; the child stays in `started` then.
  static ChildWatch* make(LoopImpl& loop, os::StartedChild& started, int& err) noexcept;
  ChildWatch(const ChildWatch&) = delete;
  ChildWatch& operator=(const ChildWatch&) = delete;

  [[nodiscard]] LoopCore& core() const noexcept { return loop_impl(); }
  [[nodiscard]] bool is_running() const noexcept { return child_.is_there(); }
  [[nodiscard]] int pid() const noexcept { return child_.pid(); }
  int kill(int signum) noexcept { return child_.kill(signum); }
  void add(ExitState& state) noexcept;
  /// Called when the ChildProcess goes.
  void let_go() noexcept;

  void loop_closed() noexcept override;
  void describe(std::ostream& out) const override;

 private:
  friend class FdWatcher<ChildWatch>;
  explicit ChildWatch(LoopImpl& loop) noexcept : FdWatcher(loop) {}
  ~ChildWatch() = default;
  void on_fd_event(FdEvent event);
  void take_status() noexcept;
  void end_waits(int err) noexcept;
  void free() noexcept;

  os::Child child_;
  UniqueFd exit_;
  int error_ = 0;
  ExitStatus status_;
  NodeList waiting_;
  bool is_abandoned_ = false;
};

}  // namespace tsock::inline v0::detail
