// What qemu does otherwise than Linux, seen by the system's calls alone: the reasons of
// qemu_skips.txt. Fails where it does as Linux does, so that the lines there can go.
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <iostream>

namespace {

bool is_readable(int socket) {
  pollfd poll{.fd = socket, .events = POLLIN, .revents = 0};
  return ::poll(&poll, 1, 100) == 1;
}

std::array<int, 2> udp_pair() {
  const std::array<int, 2> ends{::socket(AF_INET, SOCK_DGRAM, 0), ::socket(AF_INET, SOCK_DGRAM, 0)};
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(name);
  auto* const address = reinterpret_cast<sockaddr*>(&name);
  static_cast<void>(::bind(ends[1], address, size));
  static_cast<void>(::getsockname(ends[1], address, &size));
  static_cast<void>(::connect(ends[0], address, size));
  return ends;
}

bool message_without_vectors_is_not_sent() {
  const std::array<int, 2> ends = udp_pair();
  const msghdr none{};
  const bool succeeds = ::sendmsg(ends[0], &none, 0) == 0;
  const bool arrives = is_readable(ends[1]);
  return succeeds && !arrives;
}

bool nothing_is_received_without_vectors() {
  const std::array<int, 2> ends = udp_pair();
  char byte = 'x';
  static_cast<void>(::send(ends[0], &byte, 1, 0));
  msghdr none{};
  const bool succeeds = is_readable(ends[1]) && ::recvmsg(ends[1], &none, 0) == 0;
  return succeeds && is_readable(ends[1]);
}

// UDP_SEGMENT reaches the kernel in the byte order of the program.
bool segments_have_a_size_in_another_byte_order() {
  const std::array<int, 2> ends = udp_pair();
  std::array<char, 2> text{'1', '2'};
  iovec vector{.iov_base = text.data(), .iov_len = text.size()};
  const std::uint16_t size = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(size))> control{};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_UDP;
  header->cmsg_type = UDP_SEGMENT;
  header->cmsg_len = CMSG_LEN(sizeof(size));
  std::memcpy(CMSG_DATA(header), &size, sizeof(size));
  static_cast<void>(::sendmsg(ends[0], &message, 0));
  return is_readable(ends[1]) && ::recv(ends[1], text.data(), text.size(), 0) == 2;
}

bool time_of_datagrams_is_not_told() {
  const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
  const int on = 1;
  return ::setsockopt(socket, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) != 0;
}

bool tcp_info_is_an_int() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  tcp_info info{};
  socklen_t size = sizeof(info);
  return ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && size == sizeof(int);
}

// posix_spawn(3) learns it through memory that vfork(2) shares.
bool program_that_is_missing_is_started() {
  std::array<char, 16> name{"/no/such/file"};
  std::array<char*, 2> arguments{name.data(), nullptr};
  pid_t pid = 0;
  const bool is_started = ::posix_spawn(&pid, name.data(), nullptr, nullptr, arguments.data(), environ) == 0;
  if (is_started) static_cast<void>(::waitpid(pid, nullptr, 0));
  return is_started;
}

bool bytes_that_are_not_sent_are_not_told() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  int unsent = 0;
  return ::ioctl(socket, SIOCOUTQNSD, &unsent) != 0;
}

bool check(const char* fact, bool holds) {
  std::cout << fact << ": " << (holds ? "yes" : "NO, as Linux has it") << "\n";
  return holds;
}

}  // namespace

int main() {
  bool all = check("a message without vectors is not sent", message_without_vectors_is_not_sent());
  all = check("nothing is received without vectors", nothing_is_received_without_vectors()) && all;
  all = check("SO_TIMESTAMPNS is refused", time_of_datagrams_is_not_told()) && all;
  all = check("TCP_INFO is an int", tcp_info_is_an_int()) && all;
  all = check("a program that is missing is started", program_that_is_missing_is_started()) && all;
  all = check("SIOCOUTQNSD is not told", bytes_that_are_not_sent_are_not_told()) && all;
  if (std::endian::native == std::endian::big)
    all = check("UDP_SEGMENT has another byte order", segments_have_a_size_in_another_byte_order()) && all;
  return all ? 0 : 1;
}
