#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "uv/os/child.hpp"
#include "uv/os/descriptor.hpp"

namespace tsock::inline v0::os {

// The kernel may be older than its headers.
UniqueFd watch_exit(int pid, int& err) noexcept {
  err = 0;
  UniqueFd exit(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (exit && exit.get() <= 2) exit = duplicate(exit.get(), err);
  if (exit || err != 0) return exit;
  err = errno;
  if (err != ENOSYS && err != EPERM) return {};  // EPERM: filters of system calls know it not yet
  return watch_exit_by_thread(pid, err);
}

}  // namespace tsock::inline v0::os
