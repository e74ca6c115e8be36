// The order matters: these headers need the first one.
#include <winsock2.h>
#include <ws2tcpip.h>
// These as well.
#include <fcntl.h>
#include <io.h>
#include <netioapi.h>
#include <process.h>
#include <sys/stat.h>
#include <windows.h>

#include <cerrno>
#include <cstdlib>

#include "system.hpp"

namespace tsock_cat {

namespace {

// Addresses and services are asked for before there is a loop. It stays for the life of the process.
void use_winsock() {
  WSADATA data{};
  static const int result = ::WSAStartup(MAKEWORD(2, 2), &data);
  static_cast<void>(result);
}

}  // namespace

// Standard descriptors that are not there belong to the C library, which gives their numbers to nobody else.
void open_missing_descriptors() {}

void raise_descriptor_limit() {}

void ignore_broken_pipes() {}

bool is_signal_ignored(int /*signum*/) { return false; }

unsigned process_id() { return static_cast<unsigned>(::_getpid()); }

// A device that is no terminal, as NUL, has no mode.
bool is_terminal(int descriptor) {
  DWORD mode = 0;
  return ::GetConsoleMode(reinterpret_cast<HANDLE>(::_get_osfhandle(descriptor)), &mode) != 0;
}

std::optional<std::size_t> terminal_width(int descriptor) {
  CONSOLE_SCREEN_BUFFER_INFO info{};
  if (::GetConsoleScreenBufferInfo(reinterpret_cast<HANDLE>(::_get_osfhandle(descriptor)), &info) == 0)
    return std::nullopt;
  return static_cast<std::size_t>(info.srWindow.Right - info.srWindow.Left + 1);
}

void remove_variable(const char* name) { ::_putenv_s(name, ""); }

std::FILE* open_private(const char* path) { return std::fopen(path, "rbN"); }

// Who may read it is a matter of access control lists, which files have from their folder.
int look_who_reads(std::FILE* /*file*/, bool& others) {
  others = false;
  return 0;
}

std::FILE* append_private(const char* path) { return std::fopen(path, "abN"); }

std::optional<unsigned> interface_index(const char* name) {
  const unsigned index = ::if_nametoindex(name);
  if (index == 0) return std::nullopt;
  return index;
}

std::optional<std::uint16_t> service_port(std::string_view name, bool datagram) {
  use_winsock();
  const servent* const service = ::getservbyname(std::string(name).c_str(), datagram ? "udp" : "tcp");
  if (service == nullptr) return std::nullopt;
  return ::ntohs(static_cast<u_short>(service->s_port));
}

std::string service_name(std::uint16_t port, bool datagram) {
  use_winsock();
  const servent* const service = ::getservbyport(::htons(port), datagram ? "udp" : "tcp");
  return service != nullptr ? service->s_name : "";
}

PeerState look_at_peer(tsock::NativeSocket socket) {
  WSAPOLLFD looked_at{};
  looked_at.fd = socket;
  looked_at.events = POLLOUT;
  if (::WSAPoll(&looked_at, 1, 0) <= 0) return PeerState::there;
  if ((looked_at.revents & POLLERR) != 0) return PeerState::reset;
  return (looked_at.revents & POLLHUP) != 0 ? PeerState::gone : PeerState::there;
}

int connect_socket(tsock::NativeSocket socket, const tsock::Address& address) {
  const auto length = static_cast<int>(address.sockaddr_length());
  return ::connect(socket, address.sockaddr_pointer(), length) == 0 ? 0 : EADDRNOTAVAIL;
}

}  // namespace tsock_cat
