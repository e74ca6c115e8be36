#pragma once

#include <uv.h>

#include <chrono>
#include <cstddef>
#include <memory>

namespace tsock::detail {

/// Threads for work that would block the loop. They are created on demand, up to a maximum, serve jobs in
/// order, and end with the loop. They are never joined: a thread owns the job it works on, so a stuck thread
/// holds up nothing and may end at any time.
///
/// All functions are for the loop's thread.
class WorkerThreads {
 public:
  /// A piece of work for a thread.
  class Job {
   public:
    Job() noexcept = default;
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;
    /// On any thread, if the loop was destroyed meanwhile.
    virtual ~Job() = default;
    /// On a worker thread. Nothing but the job itself may be touched.
    virtual void work() noexcept = 0;
    /// On the loop's thread, when the work is done; not called if the loop was destroyed.
    virtual void done(std::unique_ptr<Job> self) noexcept = 0;
    /// After fork(), in the child: the thread that had the job does not exist here. The implementation must
    /// never destroy the job.
    virtual void lost() noexcept = 0;

   private:
    friend class WorkerThreads;
    std::unique_ptr<Job> next_;
    // Among those that are out, for the loop's thread.
    Job* before_ = nullptr;
    Job* behind_ = nullptr;
  };

  /// \param wake is sent when jobs are done, so that `deliver()` is called; not any more after `end()`
  WorkerThreads(std::size_t most_threads, uv_async_t& wake) : most_threads_(most_threads), wake_(&wake) {}
  WorkerThreads(const WorkerThreads&) = delete;
  WorkerThreads& operator=(const WorkerThreads&) = delete;
  ~WorkerThreads() { end(); }

  /// Hands a job over. \return 0, or with the job where it was: EAGAIN when no thread can be had, ENOMEM.
  int submit(std::unique_ptr<Job>& job) noexcept;
  /// The job, if no thread has begun it; it is not out any more then.
  std::unique_ptr<Job> take_back(Job& job) noexcept;
  /// Calls `done()` of what is done.
  void deliver() noexcept;
  /// Whether jobs are out.
  [[nodiscard]] bool is_busy() const noexcept { return out_ != nullptr; }
  /// Waits for the threads, but not longer than that.
  void wait(std::chrono::milliseconds longest) noexcept;
  /// Lets the threads go. Jobs that no thread has begun are destroyed.
  void end() noexcept;
  /// After fork(), in the child, which has none of the threads.
  void forked() noexcept;

 private:
  /// Jobs, the oldest first.
  class Line;
  /// What loop and threads share; the last of them destroys it.
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

}  // namespace tsock::detail
