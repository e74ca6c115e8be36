#include <cerrno>
#include <tsock/error.hpp>

#include "uv/os/child.hpp"

// Child processes are not there yet: nothing of what a Child does can be asked for.
namespace tsock::inline v0::os {

Child::Child(int pid, const SpawnOptions& options) noexcept
    : pid_(pid), leads_group_(options.own_process_group), kills_(options.fate == ChildFate::kill) {}

Child::~Child() = default;

bool Child::is_there() const noexcept { return false; }

int Child::kill(int /*signum*/) const noexcept { return ESRCH; }

int Child::take_status(ExitStatus& /*status*/) noexcept { return ECHILD; }

StartedChild start_child(const SpawnOptions& options) {
  StartedChild started;
  started.err = ENOTSUP;
  started.reason = "start " + options.program + ": " + error_text(ENOTSUP);
  return started;
}

UniqueFd watch_exit(int /*pid*/, int& err) noexcept {
  err = ENOTSUP;
  return {};
}

UniqueFd watch_exit_by_thread(int pid, int& err) noexcept { return watch_exit(pid, err); }

void wait_for_exit(const UniqueFd& /*exit*/, std::chrono::milliseconds /*longest*/) noexcept {}

}  // namespace tsock::inline v0::os
