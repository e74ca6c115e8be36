// What Wine does otherwise than Windows, seen by Winsock and the system's calls alone: the reasons of
// windows_skips.txt. Fails where the system does it as Windows does, so that the lines there can go.
#include <winsock2.h>
// The order matters: this header needs the one above.
#include <windows.h>

#include <iostream>
#include <utility>

namespace {

std::pair<SOCKET, SOCKET> connected_pair() {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  int size = sizeof(name);
  auto* const address = reinterpret_cast<sockaddr*>(&name);
  const SOCKET listener = ::socket(AF_INET, SOCK_STREAM, 0);
  ::bind(listener, address, size);
  ::listen(listener, 1);
  ::getsockname(listener, address, &size);
  const SOCKET ours = ::socket(AF_INET, SOCK_STREAM, 0);
  ::connect(ours, address, size);
  const SOCKET theirs = ::accept(listener, nullptr, nullptr);
  ::closesocket(listener);
  return {ours, theirs};
}

bool reset_is_read_as_end() {
  const auto [ours, theirs] = connected_pair();
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(theirs, SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&at_once), sizeof(at_once));
  ::closesocket(theirs);
  char byte = 0;
  const int got = ::recv(ours, &byte, 1, 0);
  // Who writes is told what it was.
  const bool is_reset = ::send(ours, &byte, 1, 0) == -1 && ::WSAGetLastError() == WSAECONNRESET;
  ::closesocket(ours);
  return got == 0 && is_reset;
}

bool is_told(WSAEVENT event, DWORD milliseconds) {
  return ::WSAWaitForMultipleEvents(1, &event, FALSE, milliseconds, FALSE) != WSA_WAIT_TIMEOUT;
}

bool end_is_told_behind_bytes_that_were_read() {
  const auto [ours, theirs] = connected_pair();
  char byte = 0;
  ::send(theirs, &byte, 1, 0);
  ::shutdown(theirs, SD_SEND);
  const WSAEVENT event = ::WSACreateEvent();
  ::WSAEventSelect(ours, event, FD_CLOSE);
  const bool before = is_told(event, 300);
  ::recv(ours, &byte, 1, 0);
  const bool after = is_told(event, 10'000);
  ::WSACloseEvent(event);
  ::closesocket(ours);
  ::closesocket(theirs);
  return !before && after;
}

bool there_are_no_unix_sockets() {
  const SOCKET made = ::socket(AF_UNIX, SOCK_STREAM, 0);
  return made == INVALID_SOCKET && ::WSAGetLastError() == WSAEAFNOSUPPORT;
}

bool pipe_is_served_twice() {
  const auto serve = [] {
    return ::CreateNamedPipeA(R"(\\.\pipe\tsock-wine-facts)",
                              PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE, PIPE_TYPE_BYTE,
                              PIPE_UNLIMITED_INSTANCES, 4096, 4096, 0, nullptr);
  };
  const HANDLE first = serve();
  const HANDLE second = serve();
  for (const HANDLE handle : {first, second}) {
    if (handle != INVALID_HANDLE_VALUE) ::CloseHandle(handle);
  }
  return first != INVALID_HANDLE_VALUE && second != INVALID_HANDLE_VALUE;
}

}  // namespace

int main() {
  WSADATA data{};
  if (::WSAStartup(MAKEWORD(2, 2), &data) != 0) return 2;
  bool all = true;
  const auto check = [&all](const char* what, bool is_so) {
    std::cout << what << ": " << (is_so ? "yes\n" : "no\n");
    all = all && is_so;
  };
  check("a reset is read as the end", reset_is_read_as_end());
  check("an end is told once the bytes before it were read", end_is_told_behind_bytes_that_were_read());
  check("there are no unix sockets", there_are_no_unix_sockets());
  check("a pipe is served under a name that is served", pipe_is_served_twice());
  return all ? 0 : 1;
}
