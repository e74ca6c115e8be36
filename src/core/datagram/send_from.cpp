#include <algorithm>
#include <span>
#include <string_view>
#include <tsock/send_from.hpp>

namespace tsock::inline v0 {

SendFrom::SendFrom(const Address& address, unsigned interface_index) noexcept
    : interface_index_(interface_index != 0 ? interface_index : address.scope_id()) {
  const auto is_all = [](std::span<const std::byte> bytes, std::byte value) {
    return std::ranges::all_of(bytes, [value](std::byte b) { return b == value; });
  };
  if (address.is_empty() || address.is_any() || address.is_multicast()) return;
  const auto ip = address.ip_bytes();
  // The limited broadcast address, plain or mapped into IPv6.
  if (ip.size() == 4 ? is_all(ip, std::byte{0xff})
                     : address.is_v4_mapped() && is_all(ip.subspan(12), std::byte{0xff})) {
    return;
  }
  std::ranges::copy(ip, ip_.begin());
  kind_ = address.is_ipv4() ? Kind::ipv4 : address.is_ipv6() ? Kind::ipv6 : Kind::other;
}

Address SendFrom::address() const {
  if (kind_ != Kind::ipv4 && kind_ != Kind::ipv6) return {};
  Address address = Address::make_ip(ip_.data(), kind_ == Kind::ipv4 ? 4 : 16, 0, 0);
  if (kind_ == Kind::ipv4 || ip_[0] != std::byte{0xfe} || (ip_[1] & std::byte{0xc0}) != std::byte{0x80})
    return address;
  return Address::make_ip(ip_.data(), 16, interface_index_, 0);
}

std::size_t SendFrom::hash() const noexcept {
  const std::string_view bytes(reinterpret_cast<const char*>(ip_.data()), ip_.size());
  return std::hash<std::string_view>{}(bytes)*31 + std::size_t{interface_index_} * 4 +
         static_cast<std::size_t>(kind_);
}

}  // namespace tsock::inline v0
