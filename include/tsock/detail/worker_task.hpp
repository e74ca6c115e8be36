#pragma once

#include <memory>
#include <tsock/export.hpp>

namespace tsock::inline v0::detail {

class LoopCore;
class WorkerJob;

/// What a worker thread does for a request. The thread owns it while it works.
class TSOCK_EXPORT WorkerTask {
 public:
  WorkerTask() noexcept = default;
  WorkerTask(const WorkerTask&) = delete;
  WorkerTask& operator=(const WorkerTask&) = delete;
  virtual ~WorkerTask() = default;
  /// On a worker thread. Nothing but the task itself may be touched.
  virtual void work() noexcept = 0;
  [[nodiscard]] int error() const noexcept { return error_; }

 protected:
  void set_error(int err) noexcept { error_ = err; }

 private:
  int error_ = 0;
};

/// Has a worker thread do a task, and is told when it is done. One task at a time.
class TSOCK_EXPORT WorkerReceiver {
 public:
  WorkerReceiver() noexcept = default;
  WorkerReceiver(const WorkerReceiver&) = delete;
  WorkerReceiver& operator=(const WorkerReceiver&) = delete;

 protected:
  virtual ~WorkerReceiver() = default;
  /// Hands a task over; `on_worked()` is called once then, unless it is withdrawn. \return 0, EAGAIN when no
  /// thread can be had, ENOMEM, ECANCELED when the loop is gone
  [[nodiscard]] int submit_task(LoopCore& core, std::unique_ptr<WorkerTask> task) noexcept;
  /// `on_worked()` will not be called for a task that is out. \return the task if no thread has begun it
  std::unique_ptr<WorkerTask> withdraw_task(LoopCore& core) noexcept;

 private:
  friend class WorkerJob;
  /// On the loop's thread. Null: the task is lost, as the process was forked. The task is destroyed when this
  /// returns.
  virtual void on_worked(WorkerTask* task) noexcept = 0;

  WorkerJob* job_ = nullptr;  // while its task is out
};

}  // namespace tsock::inline v0::detail
