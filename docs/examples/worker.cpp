// Work on a thread of one's own as a Request; the result comes back to the loop with post().
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

// One thread that runs jobs in order. It must end before the Loop that the jobs post to.
class Worker {
 public:
  Worker() : thread_([this] { run(); }) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() {
    add({});
    thread_.join();
  }
  void add(std::function<void()> job) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    changed_.notify_one();
  }

 private:
  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !jobs_.empty(); });
      const std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      if (!job) return;
      job();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  std::thread thread_;
};

// The request is in progress while the thread works, so Loop::run() does not return. If the caller destroys
// the request first, the weak pointer, checked on the loop's thread, is empty.
class Sum final : public tsock::Operation<std::uint64_t> {
 public:
  static constexpr const char* name = "sum";

  Sum(Worker& worker, std::uint64_t last) : worker_(worker), last_(last) {}

  void start() override {
    worker_.add([last = last_, &loop = loop(), self = std::weak_ptr<Sum*>(self_)] {
      std::uint64_t sum = 0;
      for (std::uint64_t i = 1; i <= last; ++i) sum += i;
      loop.post([self, sum] {
        if (const auto operation = self.lock()) (*operation)->done(sum);
      });
    });
  }

 private:
  Worker& worker_;
  std::uint64_t last_;
  std::shared_ptr<Sum*> self_ = std::make_shared<Sum*>(this);
};

}  // namespace

int main() {
  tsock::Loop loop;
  Worker worker;
  auto sum = tsock::make_request<Sum>(loop, worker, 100000U);
  auto unwanted = tsock::make_request<Sum>(loop, worker, 100000U);
  sum.set_callback([](auto& request) {
    int err = 0;
    const std::uint64_t value = request.recv(err);
    std::printf("%s %llu\n", tsock::error_name(err).data(), static_cast<unsigned long long>(value));
  });
  unwanted = {};
  loop.run();
  return 0;
}
