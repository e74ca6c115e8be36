#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <tsock/output.hpp>
#include <tsock/proxy/accept.hpp>
#include <tsock/proxy/header.hpp>
#include <tsock/proxy/network.hpp>

/// As `tsock/output.hpp`, for proxies.
namespace tsock::inline v0::proxy {

[[nodiscard]] constexpr std::string_view name_of(Header::Version version) noexcept {
  switch (version) {
    case Header::Version::v1:
      return "v1";
    case Header::Version::v2:
      return "v2";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(Header::Command command) noexcept {
  switch (command) {
    case Header::Command::local:
      return "local";
    case Header::Command::proxy:
      return "proxy";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(Header::Transport transport) noexcept {
  switch (transport) {
    case Header::Transport::unspecified:
      return "unspecified";
    case Header::Transport::stream:
      return "stream";
    case Header::Transport::datagram:
      return "datagram";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(AcceptOptions::Presence presence) noexcept {
  switch (presence) {
    case AcceptOptions::Presence::required:
      return "required";
    case AcceptOptions::Presence::optional:
      return "optional";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(AcceptOptions::Untrusted untrusted) noexcept {
  switch (untrusted) {
    case AcceptOptions::Untrusted::refuse:
      return "refuse";
    case AcceptOptions::Untrusted::plain:
      return "plain";
  }
  return "?";
}

[[nodiscard]] inline std::string to_string(const Network& network) { return network.to_string(); }

using tsock::operator<<;

}  // namespace tsock::inline v0::proxy

namespace tsock::inline v0 {

template <>
inline constexpr bool is_printable_value<proxy::Network> = true;

}  // namespace tsock::inline v0
