#pragma once

#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <tsock/loop.hpp>
#include <vector>

#include "core/loop/loop_core.hpp"
#include "core/loop/post_queue.hpp"
#include "uv/loop_turns.hpp"
#include "uv/watch_set.hpp"
#include "uv/worker_threads.hpp"

namespace tsock::inline v0::detail {

class PipeStore;
class SignalWatch;

/// The loop on libuv.
class LoopImpl final : public LoopCore {
 public:
  LoopImpl(Loop& loop, uv_loop_t* borrowed, const LoopOptions& options);

  [[nodiscard]] uv_loop_t* uv() const noexcept { return uv_; }
  /// libuv's loop for the application, which may use it as it likes.
  [[nodiscard]] uv_loop_t* give_uv() noexcept {
    turns_.leave_to_libuv();
    return uv_;
  }
  void run();
  bool run_once() override;
  void run_until_idle();
  void stop() noexcept;
  void throw_kept_exception();
  [[nodiscard]] bool is_running() const noexcept override {
    return running_ || runs_posted_ || is_draining();
  }
  [[nodiscard]] bool is_stopped() const noexcept override { return stop_seen_; }
  /// Memory for a function to be posted; from any thread, as `post()`.
  [[nodiscard]] void* post_block() { return posted_.take_block(); }
  void post(PostedFunction& function) noexcept;
  SignalWatch* signal_watch(int signum, int& err) noexcept;
  int after_fork_in_child() noexcept;
  void set_logger(std::shared_ptr<spdlog::logger> logger) noexcept;
  void log_warning(const char* text) noexcept override;
  void log_debug(const char* text) noexcept override;
  /// Called when the Loop is gone; this object lives on until libuv has closed its handles and no block is in
  /// use. In a callback, everything of the Loop ends now, and its own uv_loop_t when `run()` returns.
  void release() noexcept;

  /// To be called before a libuv handle with a descriptor is stopped, started or closed: in a forked child
  /// without `after_fork_in_child()`, the loop first gets its own copy of what it shares with the parent.
  void notice_fork() noexcept;

  /// The beginning of a turn that `wake()` has asked for.
  void begin_woken_turn() noexcept;

  /// To be called first in every callback of libuv, and when a descriptor is told of.
  void enter() noexcept { event(uv_now(uv_)); }

  /// `LoopCore::trim()`, and asks the C library to give the memory to the system. \return as that
  std::size_t trim_and_pass_on() noexcept;

  /// The descriptors that are watched.
  [[nodiscard]] WatchSet& watches() noexcept { return *watches_; }

  /// Kinds of work for worker threads; none waits for another.
  enum class Work : std::uint8_t { lookup, file, task };
  /// As in WorkerThreads.
  int submit(Work work, std::unique_ptr<WorkerThreads::Job>& job) noexcept;
  std::unique_ptr<WorkerThreads::Job> take_back(Work work, WorkerThreads::Job& job) noexcept;
  /// Whether jobs of that kind are under way.
  [[nodiscard]] bool is_busy(Work work) const noexcept;

  /// Null when out of memory.
  [[nodiscard]] PipeStore* pipes() noexcept;

 private:
  static constexpr unsigned posted_rounds = 16;

  // A lookup that hangs costs a thread until the system gives it up, so there are more of these threads. The
  // same holds for a function of the user.
  static constexpr std::size_t most_lookup_threads = 16;
  static constexpr std::size_t most_file_threads = 4;
  static constexpr std::size_t most_task_threads = 16;

  class RunScope;
  struct Workers;
  /// What `loop()` returns once the Loop is gone.
  class StandIn final : public Loop {
   public:
    explicit StandIn(LoopImpl& impl) noexcept : Loop(impl) {}
    StandIn(const StandIn&) = delete;
    StandIn& operator=(const StandIn&) = delete;
    ~StandIn() { disown(); }
  };
  /// Ends a loop whose Loop was destroyed in the middle of a step.
  class LateRelease final : public ReadyTask {
   public:
    explicit LateRelease(LoopImpl& loop) noexcept : loop_(&loop) {}
    void run() override { loop_->end(); }

   private:
    LoopImpl* loop_;
  };
  ~LoopImpl() override;

  void end_at_rest() noexcept override;
  void wake() noexcept override;
  void ask_for_turn_end() noexcept override;
  void keep_alive(bool on) noexcept override;
  void arm_timer(Clock::time_point when) noexcept override;
  void look_before_expiry() noexcept;
  void expire_as_of_look() noexcept;
  void interrupt_run() noexcept override;
  void hold_for_posted() noexcept;
  void take_posted();
  void run_timed(PostedFunction& function);
  void destroy_posted() noexcept;
  void handle_closed() noexcept;
  Workers* workers() noexcept;
  void end() noexcept;
  void end_workers() noexcept;
  void close_own_loop() noexcept;

  uv_loop_t own_{};
  uv_loop_t* uv_;
  bool owned_;
  uv_idle_t idle_{};
  uv_check_t check_{};
  uv_timer_t timer_{};
  uv_idle_t look_idle_{};    // makes libuv poll without waiting
  uv_check_t look_check_{};  // runs when libuv has polled
  Clock::time_point looked_at_;
  uv_async_t async_{};
  unsigned open_handles_ = 0;
  unsigned forks_ = 0;  // fork_count() when this process got the loop
  bool running_ = false;
  bool runs_posted_ = false;
  bool stop_requested_ = false;
  bool stop_seen_ = false;
  LoopTurns turns_;
  std::unique_ptr<WatchSet> watches_;
  PostQueue posted_;
  std::unique_ptr<Workers> workers_;  // made on demand
  std::unique_ptr<PipeStore> pipes_;  // made on demand
  std::vector<std::unique_ptr<SignalWatch>> signals_;
  LateRelease late_release_{*this};
  std::optional<StandIn> stand_in_;
  std::shared_ptr<spdlog::logger> logger_;
  bool logger_set_ = false;
};

[[nodiscard]] inline LoopImpl& impl_of(LoopCore& core) noexcept { return static_cast<LoopImpl&>(core); }

}  // namespace tsock::inline v0::detail
