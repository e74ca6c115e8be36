#include <fcntl.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <mutex>
#include <optional>

#include "uv/os/process.hpp"
#include "uv/os/thread_signals.hpp"

namespace tsock::inline v0::os {

// Opens the root directory, which every process has, even after chroot(2).
StandardDescriptorsTaken::StandardDescriptorsTaken() noexcept {
  for (int number = 0; number <= 2; ++number) {
    if (::fcntl(number, F_GETFD) != -1 || errno != EBADF) continue;
    const int opened = ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0) return;
    if (opened == number) {
      taken_[static_cast<std::size_t>(number)] = true;
    } else {
      ::close(opened);  // another thread was faster
    }
  }
}

StandardDescriptorsTaken::~StandardDescriptorsTaken() {
  for (int number = 0; number <= 2; ++number) {
    if (taken_[static_cast<std::size_t>(number)]) ::close(number);
  }
}

namespace {

// The process has one disposition for each signal, however many loops catch it.
struct Caught {
  unsigned catches = 0;
  bool is_known = false;
  struct sigaction before {};
};

struct CaughtSignals {
  std::mutex mutex;
  std::array<Caught, NSIG> signals{};
};

CaughtSignals caught_signals;

bool has_caught(int signum) noexcept { return signum > 0 && signum < NSIG; }

}  // namespace

// A handler that is unchanged afterwards is not the application's: libuv already caught the signal for
// another handle, and restores the default when the last one stops.
int catch_signal(int signum, int (*start)(void* context), void* context) noexcept {
  if (!has_caught(signum)) return start(context);
  const std::lock_guard lock(caught_signals.mutex);
  Caught& caught = caught_signals.signals[static_cast<std::size_t>(signum)];
  struct sigaction before {};
  const bool is_read = ::sigaction(signum, nullptr, &before) == 0;
  if (const int err = start(context); err != 0) return err;
  if (caught.catches++ != 0) return 0;
  struct sigaction now {};
  caught.is_known = is_read && ::sigaction(signum, nullptr, &now) == 0 && now.sa_handler != before.sa_handler;
  caught.before = before;
  return 0;
}

void let_signal_go(int signum, void (*stop)(void* context), void* context) noexcept {
  if (!has_caught(signum)) return stop(context);
  const std::lock_guard lock(caught_signals.mutex);
  const SignalsHeldBack held_back;
  stop(context);
  Caught& caught = caught_signals.signals[static_cast<std::size_t>(signum)];
  if (--caught.catches != 0 || !caught.is_known) return;
  struct sigaction now {};
  if (::sigaction(signum, nullptr, &now) == 0 && now.sa_handler == SIG_DFL)
    ::sigaction(signum, &caught.before, nullptr);
}

namespace {

std::atomic<unsigned> forks{0};
std::optional<StandardDescriptorsTaken> taken_in_child;

}  // namespace

void release_free_memory() noexcept {
#if defined(__GLIBC__)
  ::malloc_trim(0);
#endif
}

unsigned fork_count() noexcept { return forks.load(std::memory_order_relaxed); }

// Handlers run in the child in the order of their registration: these two enclose libuv's, which makes its
// pipe anew.
void watch_forks() noexcept {
  static const int registered = ::pthread_atfork(nullptr, nullptr, [] {
    forks.fetch_add(1, std::memory_order_relaxed);
    taken_in_child.emplace();
  });
  static_cast<void>(registered);
}

void watch_forks_further() noexcept {
  static const int registered = ::pthread_atfork(nullptr, nullptr, [] { taken_in_child.reset(); });
  static_cast<void>(registered);
}

}  // namespace tsock::inline v0::os
