#pragma once

#include <array>
#include <atomic>

/// What belongs to the process as a whole: its standard descriptors, the dispositions of its signals, forks.
namespace tsock::os {

/// Occupies the descriptors 0, 1 and 2 where they are closed, for as long as it lives: whatever is opened
/// meanwhile has a number above 2.
class StandardDescriptorsTaken {
 public:
  StandardDescriptorsTaken() noexcept;
  StandardDescriptorsTaken(const StandardDescriptorsTaken&) = delete;
  StandardDescriptorsTaken& operator=(const StandardDescriptorsTaken&) = delete;
  ~StandardDescriptorsTaken();

 private:
  std::array<bool, 3> taken_{};
};

/// A signal is about to be caught by `start`, which gives 0 or an errno value. \return that value.
int catch_signal(int signum, int (*start)(void* context), void* context) noexcept;
/// A catch ends by `stop`. With the last one the signal has the disposition again that it had before the
/// first, and no moment between the two has the default one for this thread.
void let_signal_go(int signum, void (*stop)(void* context), void* context) noexcept;

/// Has the C library give memory that is free back to the system, where it can be asked to.
void release_free_memory() noexcept;

/// How many forks lie between the first process that called `watch_forks()` and this one.
[[nodiscard]] unsigned fork_count() noexcept;
/// To be called around what registers fork handlers that open descriptors.
void watch_forks() noexcept;
void watch_forks_further() noexcept;

}  // namespace tsock::os
