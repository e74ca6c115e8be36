#include <cerrno>
#include <tsock/service_manager.hpp>

namespace tsock::inline v0 {

// Windows has no service manager that starts programs with sockets.
std::vector<ActivatedSocket> take_activated_sockets(int& err) {
  err = 0;
  return {};
}

int notify_service_manager(std::string_view /*state*/) noexcept { return ENOENT; }

}  // namespace tsock::inline v0
