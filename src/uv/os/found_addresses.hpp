#pragma once

#if defined(_WIN32)
#include <winsock2.h>
// The order matters: it needs the one above.
#include <ws2tcpip.h>
#else
#include <netdb.h>
#include <sys/socket.h>
#endif

#include <algorithm>
#include <tsock/address.hpp>
#include <tsock/resolver.hpp>
#include <vector>

/// What getaddrinfo(3) and the GetAddrInfoW() of Windows have in common.
namespace tsock::inline v0::os {

/// What to ask for. \tparam Info the system's addrinfo
template <class Info>
[[nodiscard]] Info hints_of(const ResolveOptions& options) noexcept {
  Info hints{};
  hints.ai_family = options.family == AddressFamily::any    ? AF_UNSPEC
                    : options.family == AddressFamily::ipv4 ? AF_INET
                                                            : AF_INET6;
  hints.ai_socktype = options.datagram ? SOCK_DGRAM : SOCK_STREAM;
  hints.ai_flags = (options.passive ? AI_PASSIVE : 0) | (options.numeric_only ? AI_NUMERICHOST : 0);
  return hints;
}

/// The addresses of a list, each once, without those of another family. Throws std::bad_alloc.
template <class Info>
[[nodiscard]] std::vector<Address> addresses_of(const Info* found, AddressFamily family) {
  std::vector<Address> addresses;
  for (; found != nullptr; found = found->ai_next) {
    int err = 0;
    const Address address = Address::from_sockaddr(found->ai_addr, found->ai_addrlen, err);
    const bool fits = family == AddressFamily::any ||
                      (family == AddressFamily::ipv4 ? address.is_ipv4() : address.is_ipv6());
    if (err != 0 || !fits) continue;
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end())
      addresses.push_back(address);
  }
  return addresses;
}

}  // namespace tsock::inline v0::os
