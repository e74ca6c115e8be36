#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "system.hpp"

namespace tsock_cat {

void open_missing_descriptors() {
  for (int number = 0; number <= 2; ++number) {
    if (::fcntl(number, F_GETFD) != -1 || errno != EBADF) continue;
    static_cast<void>(::open("/dev/null", number == 0 ? O_RDONLY : O_WRONLY));
  }
}

// The soft limit protects programs that use select(2).
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

void ignore_broken_pipes() { std::signal(SIGPIPE, SIG_IGN); }

bool is_signal_ignored(int signum) {
  struct sigaction action {};
  return ::sigaction(signum, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

unsigned process_id() { return static_cast<unsigned>(::getpid()); }

bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

std::optional<std::size_t> terminal_width(int descriptor) {
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0) return std::nullopt;
  return size.ws_col;
}

void remove_variable(const char* name) { ::unsetenv(name); }

std::FILE* open_private(const char* path) { return std::fopen(path, "rbe"); }

int look_who_reads(std::FILE* file, bool& others) {
  struct stat status {};
  if (::fstat(::fileno(file), &status) != 0) return errno;
  others = (status.st_mode & (S_IROTH | S_IWOTH)) != 0;
  return 0;
}

std::FILE* append_private(const char* path) {
  const int descriptor = ::open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  return descriptor >= 0 ? ::fdopen(descriptor, "a") : nullptr;
}

std::optional<unsigned> interface_index(const char* name) {
  const unsigned index = ::if_nametoindex(name);
  if (index == 0) return std::nullopt;
  return index;
}

std::optional<std::uint16_t> service_port(std::string_view name, bool datagram) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_socktype = datagram ? SOCK_DGRAM : SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo("127.0.0.1", std::string(name).c_str(), &hints, &found) != 0) return std::nullopt;
  int err = 0;
  const auto address = tsock::Address::from_sockaddr(found->ai_addr, found->ai_addrlen, err);
  ::freeaddrinfo(found);
  return address.port();
}

std::string service_name(std::uint16_t port, bool datagram) {
  const servent* const service = ::getservbyport(htons(port), datagram ? "udp" : "tcp");
  return service != nullptr ? service->s_name : "";
}

PeerState look_at_peer(tsock::NativeSocket socket) {
  pollfd looked_at{};
  looked_at.fd = socket;
  if (::poll(&looked_at, 1, 0) <= 0) return PeerState::there;
  if ((looked_at.revents & POLLERR) != 0) return PeerState::reset;
  return (looked_at.revents & POLLHUP) != 0 ? PeerState::gone : PeerState::there;
}

int connect_socket(tsock::NativeSocket socket, const tsock::Address& address) {
  const auto length = static_cast<socklen_t>(address.sockaddr_length());
  return ::connect(socket, address.sockaddr_pointer(), length) == 0 ? 0 : errno;
}

}  // namespace tsock_cat
