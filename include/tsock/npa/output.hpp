#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <tsock/npa/claims.hpp>
#include <tsock/npa/file_type.hpp>
#include <tsock/npa/identity.hpp>
#include <tsock/npa/level.hpp>
#include <tsock/npa/nt_status.hpp>
#include <tsock/npa/sid.hpp>
#include <tsock/npa/ticket_type.hpp>
#include <tsock/npa/transport.hpp>
#include <tsock/output.hpp>

/// As `tsock/output.hpp`, for named pipes of Samba.
namespace tsock::inline v0::npa {

[[nodiscard]] constexpr std::string_view name_of(Level level) noexcept {
  switch (level) {
    case Level::level7:
      return "level7";
    case Level::level8:
      return "level8";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(TicketType type) noexcept {
  switch (type) {
    case TicketType::unknown:
      return "unknown";
    case TicketType::tgt:
      return "tgt";
    case TicketType::non_tgt:
      return "non_tgt";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(Transport transport) noexcept {
  switch (transport) {
    case Transport::ncacn_np:
      return "ncacn_np";
    case Transport::ncacn_ip_tcp:
      return "ncacn_ip_tcp";
    case Transport::ncalrpc:
      return "ncalrpc";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(FileType type) noexcept {
  switch (type) {
    case FileType::byte_mode:
      return "byte_mode";
    case FileType::message_mode:
      return "message_mode";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(Claims::Kind kind) noexcept {
  switch (kind) {
    case Claims::Kind::local:
      return "local";
    case Claims::Kind::user:
      return "user";
    case Claims::Kind::device:
      return "device";
  }
  return "?";
}

[[nodiscard]] inline std::string to_string(const Identity& identity) { return identity.to_string(); }
[[nodiscard]] inline std::string to_string(const NtStatus& status) { return status.to_string(); }
[[nodiscard]] inline std::string to_string(const Sid& sid) { return sid.to_string(); }

using tsock::operator<<;

}  // namespace tsock::inline v0::npa

namespace tsock::inline v0 {

template <>
inline constexpr bool is_printable_value<npa::Identity> = true;
template <>
inline constexpr bool is_printable_value<npa::NtStatus> = true;
template <>
inline constexpr bool is_printable_value<npa::Sid> = true;

}  // namespace tsock::inline v0
