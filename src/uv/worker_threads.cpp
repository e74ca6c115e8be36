#include "uv/worker_threads.hpp"

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "core/base/leak_check.hpp"
#include "uv/os/thread_signals.hpp"

namespace tsock::inline v0::detail {

class WorkerThreads::Line {
 public:
  Line() noexcept = default;
  Line(Line&& other) noexcept
      : first_(std::move(other.first_)),
        last_(std::exchange(other.last_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Line& operator=(Line&&) = delete;
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  // Destroys the jobs one by one: the first one's destructor would destroy the next, deeper and deeper.
  ~Line() {
    while (take_first() != nullptr) {
    }
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  void push_back(std::unique_ptr<Job> job) noexcept {
    Job* const added = job.get();
    (last_ != nullptr ? last_->next_ : first_) = std::move(job);
    last_ = added;
    ++size_;
  }
  std::unique_ptr<Job> take_first() noexcept {
    std::unique_ptr<Job> job = std::move(first_);
    if (job == nullptr) return nullptr;
    first_ = std::move(job->next_);
    if (first_ == nullptr) last_ = nullptr;
    --size_;
    return job;
  }
  /// Removes a job. \return null when it is not in the line
  std::unique_ptr<Job> take(const Job& wanted) noexcept {
    Job* before = nullptr;
    for (std::unique_ptr<Job>* place = &first_; *place != nullptr; place = &before->next_) {
      if (place->get() == &wanted) {
        std::unique_ptr<Job> job = std::move(*place);
        *place = std::move(job->next_);
        if (last_ == job.get()) last_ = before;
        --size_;
        return job;
      }
      before = place->get();
    }
    return nullptr;
  }

 private:
  std::unique_ptr<Job> first_;
  Job* last_ = nullptr;
  std::size_t size_ = 0;
};

struct WorkerThreads::Shared {
  std::mutex mutex;
  std::condition_variable work_came;
  std::condition_variable work_done;
  Line waiting;
  Line done;
  uv_async_t* wake = nullptr;  // null once the loop is gone
  std::size_t threads = 0;
  std::size_t idle = 0;
  std::size_t working = 0;
};

void WorkerThreads::serve(Shared& shared) noexcept {
  std::unique_lock lock(shared.mutex);
  for (;;) {
    ++shared.idle;
    shared.work_came.wait(lock, [&shared] { return shared.wake == nullptr || shared.waiting.size() != 0; });
    --shared.idle;
    std::unique_ptr<Job> job = shared.waiting.take_first();
    if (job == nullptr) return;
    ++shared.working;
    lock.unlock();
    job->work();
    lock.lock();
    --shared.working;
    if (shared.wake != nullptr) {
      shared.done.push_back(std::move(job));
      uv_async_send(shared.wake);
    }
    shared.work_done.notify_all();
    if (job != nullptr) {
      lock.unlock();
      job.reset();
      lock.lock();
    }
  }
}

// Blocks signals, which are for the threads of the application.
int WorkerThreads::start_thread(const std::shared_ptr<Shared>& shared) noexcept {
  const os::SignalsHeldBack held_back;
  try {
    const ReachableAllocations detached;
    std::thread([shared] { serve(*shared); }).detach();
    return 0;
  } catch (const std::system_error& error) {
    return error.code().value();
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

int WorkerThreads::submit(std::unique_ptr<Job>& job) noexcept {
  if (shared_ == nullptr) {
    try {
      shared_ = std::make_shared<Shared>();
    } catch (const std::bad_alloc&) {
      return ENOMEM;
    }
    shared_->wake = wake_;
  }
  const std::lock_guard lock(shared_->mutex);
  // Threads that were woken and have not taken their job yet count as idle.
  if (shared_->waiting.size() >= shared_->idle && shared_->threads < most_threads_) {
    const int err = start_thread(shared_);
    if (err == 0) {
      ++shared_->threads;
    } else if (shared_->threads == 0) {
      return err;
    }
  }
  add_out(*job);
  shared_->waiting.push_back(std::move(job));
  shared_->work_came.notify_one();
  return 0;
}

std::unique_ptr<WorkerThreads::Job> WorkerThreads::take_back(Job& job) noexcept {
  const std::lock_guard lock(shared_->mutex);
  std::unique_ptr<Job> taken = shared_->waiting.take(job);
  if (taken != nullptr) remove_out(job);
  return taken;
}

void WorkerThreads::deliver() noexcept {
  if (shared_ == nullptr) return;
  Line done = [this] {
    const std::lock_guard lock(shared_->mutex);
    return std::move(shared_->done);
  }();
  while (std::unique_ptr<Job> job = done.take_first()) {
    Job& finished = *job;
    remove_out(finished);
    finished.done(std::move(job));
  }
}

void WorkerThreads::wait(std::chrono::milliseconds longest) noexcept {
  if (shared_ == nullptr) return;
  std::unique_lock lock(shared_->mutex);
  shared_->work_done.wait_for(lock, longest,
                              [this] { return shared_->working == 0 && shared_->waiting.size() == 0; });
}

void WorkerThreads::end() noexcept {
  if (shared_ == nullptr) return;
  std::unique_lock lock(shared_->mutex);
  shared_->wake = nullptr;
  // A thread that is at work owns its job from here on, and waits for the lock before it destroys it. The
  // other jobs are destroyed below.
  for (const Job* job = out_; job != nullptr; job = job->behind_) keep_reachable(job);
  const Line waiting = std::move(shared_->waiting);
  const Line done = std::move(shared_->done);
  shared_->work_came.notify_all();
  lock.unlock();
  shared_.reset();
  out_ = nullptr;
}

// A thread may have held the lock when the process was forked, so nothing of the shared state is touched. It
// stays, with the jobs, as the copies of the pointer on the threads' stacks stay.
void WorkerThreads::forked() noexcept {
  shared_.reset();
  for (Job* job = std::exchange(out_, nullptr); job != nullptr;) {
    Job& lost = *std::exchange(job, job->behind_);
    lost.before_ = lost.behind_ = nullptr;
    lost.lost();
  }
}

void WorkerThreads::add_out(Job& job) noexcept {
  job.before_ = nullptr;
  job.behind_ = out_;
  if (out_ != nullptr) out_->before_ = &job;
  out_ = &job;
}

void WorkerThreads::remove_out(Job& job) noexcept {
  (job.before_ != nullptr ? job.before_->behind_ : out_) = job.behind_;
  if (job.behind_ != nullptr) job.behind_->before_ = job.before_;
  job.before_ = job.behind_ = nullptr;
}

}  // namespace tsock::inline v0::detail
