#pragma once

#include <uv.h>

#include <chrono>
#include <cstddef>
#include <memory>

namespace tsock::inline v0::detail {

/// Threads for work that would block the loop. They are created on demand, up to a maximum, serve jobs in
/// order, and end with the loop. They are never joined: a thread owns the job it works on, so a stuck thread
/// holds up nothing and may end at any time.
///
/// All functions must be called on the loop's thread.
class WorkerThreads {
 public:
  /// A piece of work for a thread.
  class Job {
   public:
    Job() noexcept = default;
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;
    /// Runs on any thread if the loop was destroyed meanwhile.
    virtual ~Job() = default;
    /// Called on a worker thread. Must touch nothing but the job itself.
    virtual void work() noexcept = 0;
    /// Called on the loop's thread when the work is done; not called if the loop was destroyed.
    virtual void done(std::unique_ptr<Job> self) noexcept = 0;
    /// Called in the child after fork(): the thread that had the job does not exist there. The implementation
    /// must never destroy the job.
    virtual void lost() noexcept = 0;

   private:
    friend class WorkerThreads;
    std::unique_ptr<Job> next_;
    // Links in the list of `out_`, for the loop's thread.
    Job* before_ = nullptr;
    Job* behind_ = nullptr;
  };

  /// \param wake sent when jobs are done, so that `deliver()` is called; not sent any more after `end()`
  WorkerThreads(std::size_t most_threads, uv_async_t& wake) : most_threads_(most_threads), wake_(&wake) {}
  WorkerThreads(const WorkerThreads&) = delete;
  WorkerThreads& operator=(const WorkerThreads&) = delete;
  ~WorkerThreads() { end(); }

  /// Submits a job. \return 0; EAGAIN when no thread can be had, or ENOMEM, with `job` unchanged
  int submit(std::unique_ptr<Job>& job) noexcept;
  /// Takes back a job that no thread has begun. \return null when one has begun it
  std::unique_ptr<Job> take_back(Job& job) noexcept;
  /// Calls `done()` of the jobs that are done.
  void deliver() noexcept;
  /// Whether jobs were submitted that are neither delivered nor taken back.
  [[nodiscard]] bool is_busy() const noexcept { return out_ != nullptr; }
  /// Waits for the threads, but not longer than `longest`.
  void wait(std::chrono::milliseconds longest) noexcept;
  /// Lets the threads go and destroys jobs that no thread has begun.
  void end() noexcept;
  /// To be called in the child after fork(), where none of the threads exists.
  void forked() noexcept;

 private:
  /// A line of jobs, the oldest first.
  class Line;
  /// The state that loop and threads share; the last of them destroys it.
  struct Shared;

  static void serve(Shared& shared) noexcept;
  static int start_thread(const std::shared_ptr<Shared>& shared) noexcept;
  void add_out(Job& job) noexcept;
  void remove_out(Job& job) noexcept;

  std::size_t most_threads_;
  uv_async_t* wake_;
  std::shared_ptr<Shared> shared_;  // made on demand
  Job* out_ = nullptr;
};

}  // namespace tsock::inline v0::detail
