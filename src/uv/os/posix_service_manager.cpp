#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <tsock/service_manager.hpp>
#include <tsock/unique_fd.hpp>

namespace tsock::inline v0 {

namespace {

constexpr int first_activated = 3;
constexpr long most_activated = 4096;

// A positive decimal number and nothing else.
std::optional<long> number_of(std::string_view text) noexcept {
  long number = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

int set_close_on_exec(int descriptor) noexcept {
  const int flags = ::fcntl(descriptor, F_GETFD);
  if (flags < 0) return errno;
  return ::fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC) < 0 ? errno : 0;
}

}  // namespace

std::vector<ActivatedSocket> take_activated_sockets(int& err) {
  // NOLINTBEGIN(concurrency-mt-unsafe): documented
  const char* const pid = std::getenv("LISTEN_PID");
  const char* const count = std::getenv("LISTEN_FDS");
  const char* const names = std::getenv("LISTEN_FDNAMES");
  err = 0;
  std::vector<ActivatedSocket> sockets;
  if (pid == nullptr || count == nullptr) return sockets;
  const std::optional<long> for_process = number_of(pid);
  const std::optional<long> listed = number_of(count);
  if (!for_process || !listed || *listed > most_activated) {
    err = EINVAL;
    return sockets;
  }
  if (*for_process != ::getpid()) return sockets;
  const auto end = first_activated + static_cast<int>(*listed);
  for (int descriptor = first_activated; descriptor < end && err == 0; ++descriptor)
    err = set_close_on_exec(descriptor);
  if (err != 0) return sockets;
  std::string_view rest = names != nullptr ? names : "";
  sockets.reserve(static_cast<std::size_t>(*listed));
  for (int descriptor = first_activated; descriptor < end; ++descriptor) {
    const std::string_view name = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    sockets.push_back({UniqueSocket(descriptor), std::string(name.empty() ? "unknown" : name)});
  }
  for (const char* variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(variable);
  // NOLINTEND(concurrency-mt-unsafe)
  return sockets;
}

int notify_service_manager(std::string_view state) noexcept {
  const char* const path = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe)
  if (path == nullptr || *path == '\0') return ENOENT;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t size = std::strlen(path);
  if ((path[0] != '/' && path[0] != '@') || size < 2 || size >= sizeof(address.sun_path)) return EINVAL;
  std::memcpy(address.sun_path, path, size);
  if (path[0] == '@') address.sun_path[0] = '\0';  // an abstract name
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM, 0));
  if (!socket) return errno;
  if (const int err = set_close_on_exec(socket.get()); err != 0) return err;
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
  const auto* const to = reinterpret_cast<const sockaddr*>(&address);
  return ::sendto(socket.get(), state.data(), state.size(), MSG_DONTWAIT, to, length) < 0 ? errno : 0;
}

}  // namespace tsock::inline v0
