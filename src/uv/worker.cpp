#include <cerrno>
#include <memory>
#include <new>
#include <tsock/detail/worker_task.hpp>
#include <utility>

#include "uv/loop_impl.hpp"

namespace tsock::inline v0::detail {

/// Carries a task to a worker thread and the answer to its receiver.
class WorkerJob final : public WorkerThreads::Job {
 public:
  WorkerJob(std::unique_ptr<WorkerTask> task, WorkerReceiver& receiver) noexcept
      : task_(std::move(task)), receiver_(&receiver) {}

  void forget_receiver() noexcept { receiver_ = nullptr; }
  [[nodiscard]] std::unique_ptr<WorkerTask> take_task() noexcept { return std::move(task_); }

  void work() noexcept override { task_->work(); }
  void done(std::unique_ptr<Job> /*self*/) noexcept override { tell(task_.get()); }
  void lost() noexcept override { tell(nullptr); }

 private:
  void tell(WorkerTask* task) noexcept {
    WorkerReceiver* const receiver = std::exchange(receiver_, nullptr);
    if (receiver == nullptr) return;
    receiver->job_ = nullptr;
    receiver->on_worked(task);
  }

  std::unique_ptr<WorkerTask> task_;
  WorkerReceiver* receiver_;  // used on the loop's thread only
};

int WorkerReceiver::submit_task(LoopCore& core, std::unique_ptr<WorkerTask> task) noexcept {
  auto* const made = new (std::nothrow) WorkerJob(std::move(task), *this);
  if (made == nullptr) return ENOMEM;
  std::unique_ptr<WorkerThreads::Job> job(made);
  const int err = impl_of(core).submit(LoopImpl::Work::task, job);
  if (err == 0) job_ = made;
  return err;
}

std::unique_ptr<WorkerTask> WorkerReceiver::withdraw_task(LoopCore& core) noexcept {
  WorkerJob* const job = std::exchange(job_, nullptr);
  if (job == nullptr || core.is_closed()) return nullptr;
  job->forget_receiver();
  const std::unique_ptr<WorkerThreads::Job> taken = impl_of(core).take_back(LoopImpl::Work::task, *job);
  return taken != nullptr ? job->take_task() : nullptr;
}

}  // namespace tsock::inline v0::detail
