#include "uv/os/child.hpp"

namespace tsock::inline v0::os {

UniqueFd watch_exit(int pid, int& err) noexcept { return watch_exit_by_thread(pid, err); }

}  // namespace tsock::inline v0::os
