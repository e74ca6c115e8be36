#include "proxy/ip_bytes.hpp"

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
// The order matters: this needs the two above.
#include <afunix.h>
#else
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#endif

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace tsock::inline v0::proxy {

namespace {

constexpr std::array<std::uint8_t, 12> before_ipv4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::uint16_t in_network_order(std::uint16_t port) noexcept {
  const std::array<std::uint8_t, 2> bytes{static_cast<std::uint8_t>(port >> 8U),
                                          static_cast<std::uint8_t>(port & 0xffU)};
  std::uint16_t order = 0;
  std::memcpy(&order, bytes.data(), sizeof order);
  return order;
}

}  // namespace

std::optional<Ipv6Bytes> ip_bytes(const Address& address) noexcept {
  Ipv6Bytes ip{};
  if (address.is_ipv6()) {
    std::memcpy(
        ip.data(),
        reinterpret_cast<const std::byte*>(address.sockaddr_pointer()) + offsetof(sockaddr_in6, sin6_addr),
        ip.size());
    return ip;
  }
  if (!address.is_ipv4()) return std::nullopt;
  std::ranges::copy(before_ipv4, ip.begin());
  std::memcpy(
      ip.data() + before_ipv4.size(),
      reinterpret_cast<const std::byte*>(address.sockaddr_pointer()) + offsetof(sockaddr_in, sin_addr), 4);
  return ip;
}

bool is_mapped(const Ipv6Bytes& ip) noexcept {
  return std::equal(before_ipv4.begin(), before_ipv4.end(), ip.begin());
}

Address address_from_bytes(std::span<const std::byte> ip, std::uint16_t port) noexcept {
  int err = 0;
  if (ip.size() == 4) {
    sockaddr_in ipv4{};
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = in_network_order(port);
    std::memcpy(&ipv4.sin_addr, ip.data(), 4);
    return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&ipv4), sizeof ipv4, err);
  }
  sockaddr_in6 ipv6{};
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_port = in_network_order(port);
  std::memcpy(&ipv6.sin6_addr, ip.data(), sizeof ipv6.sin6_addr);
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&ipv6), sizeof ipv6, err);
}

Address unix_address_from_bytes(std::span<const std::byte> name) noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const bool is_path = !name.empty() && name.front() != std::byte{0};
  std::size_t size = name.size();
  if (is_path) {
    size = static_cast<std::size_t>(std::ranges::find(name, std::byte{0}) - name.begin());
  } else {
    while (size != 0 && name[size - 1] == std::byte{0}) --size;
  }
  if (size == 0) return Address::unix_unnamed();
  if (size > sizeof address.sun_path) return {};
  std::memcpy(address.sun_path, name.data(), size);
  int err = 0;
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&address),
                                offsetof(sockaddr_un, sun_path) + size, err);
}

}  // namespace tsock::inline v0::proxy
