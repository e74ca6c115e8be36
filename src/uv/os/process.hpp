#pragma once

#include <array>
#include <atomic>

/// State of the process as a whole: its standard descriptors, the dispositions of its signals, forks.
namespace tsock::inline v0::os {

/// Occupies the descriptors 0, 1 and 2 where they are closed, for as long as it lives: descriptors that are
/// opened meanwhile are above 2.
class StandardDescriptorsTaken {
 public:
  StandardDescriptorsTaken() noexcept;
  StandardDescriptorsTaken(const StandardDescriptorsTaken&) = delete;
  StandardDescriptorsTaken& operator=(const StandardDescriptorsTaken&) = delete;
  ~StandardDescriptorsTaken();

 private:
  std::array<bool, 3> taken_{};
};

/// Catches a signal by a call of `start`, which returns 0 or an errno value. \return that value
int catch_signal(int signum, int (*start)(void* context), void* context) noexcept;
/// Ends a catch by a call of `stop`. After the last one, the signal has the disposition again that it had
/// before the first, and in between never the default one for this thread.
void let_signal_go(int signum, void (*stop)(void* context), void* context) noexcept;

/// Makes the C library return free memory to the system, where it can.
void release_free_memory() noexcept;

/// The number of forks between the first process that called `watch_forks()` and this one.
[[nodiscard]] unsigned fork_count() noexcept;
/// To be called before and after the registration of fork handlers that open descriptors.
void watch_forks() noexcept;
void watch_forks_further() noexcept;

}  // namespace tsock::inline v0::os
