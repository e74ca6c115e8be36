#include <algorithm>
#include <string_view>
#include <tsock/proxy/target.hpp>

#include "proxy/target_host.hpp"

namespace tsock::inline v0::proxy {

namespace {

constexpr std::size_t longest_host = 255;

/// A name that goes into a message of a protocol must not end it. Colons are those of IPv6.
bool may_be_in_host(char c) noexcept {
  return c > ' ' && c != 0x7f && std::string_view("/?#@[]%\\").find(c) == std::string_view::npos;
}

}  // namespace

Target Target::of(const Address& address) {
  int err = 0;
  return {.host = address.ip_string(err), .port = address.port().value_or(0)};
}

const char* fault_of(const Target& target) noexcept {
  if (target.host.empty()) return "no host to connect to";
  if (target.host.size() > longest_host) return "a host of more than 255 bytes";
  if (!std::ranges::all_of(target.host, may_be_in_host)) return "a host with a character that no name has";
  if (target.port == 0) return "no port to connect to";
  const bool has_colon = target.host.find(':') != std::string::npos;
  if (has_colon && numeric_host(target).is_empty()) return "a host with a colon that is no IPv6 address";
  return nullptr;
}

Address numeric_host(const Target& target) {
  int err = 0;
  return Address::inet_from_strings("ip", target.host, target.port, err);
}

std::string authority_of(const Target& target) {
  const bool is_ipv6 = target.host.find(':') != std::string::npos;
  return (is_ipv6 ? '[' + target.host + ']' : target.host) + ':' + std::to_string(target.port);
}

}  // namespace tsock::inline v0::proxy
