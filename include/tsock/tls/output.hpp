#pragma once

#include <ostream>
#include <string_view>
#include <tsock/output.hpp>
#include <tsock/tls/client_options.hpp>
#include <tsock/tls/peer.hpp>
#include <tsock/tls/server_options.hpp>
#include <tsock/tls/verify_level.hpp>
#include <tsock/tls/version.hpp>

/// As `tsock/output.hpp`, for TLS.
namespace tsock::inline v0::tls {

[[nodiscard]] constexpr std::string_view name_of(Version version) noexcept {
  switch (version) {
    case Version::tls1_2:
      return "tls1_2";
    case Version::tls1_3:
      return "tls1_3";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(VerifyLevel level) noexcept {
  switch (level) {
    case VerifyLevel::no_check:
      return "no_check";
    case VerifyLevel::ca_only:
      return "ca_only";
    case VerifyLevel::ca_and_name_if_available:
      return "ca_and_name_if_available";
    case VerifyLevel::ca_and_name:
      return "ca_and_name";
    case VerifyLevel::as_strict_as_possible:
      return "as_strict_as_possible";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(ClientAuth auth) noexcept {
  switch (auth) {
    case ClientAuth::none:
      return "none";
    case ClientAuth::request:
      return "request";
    case ClientAuth::require:
      return "require";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(EarlyData data) noexcept {
  switch (data) {
    case EarlyData::none:
      return "none";
    case EarlyData::accepted:
      return "accepted";
    case EarlyData::refused:
      return "refused";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(ChannelBinding binding) noexcept {
  switch (binding) {
    case ChannelBinding::server_end_point:
      return "server_end_point";
    case ChannelBinding::exporter:
      return "exporter";
    case ChannelBinding::unique:
      return "unique";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(OcspCheck check) noexcept {
  switch (check) {
    case OcspCheck::none:
      return "none";
    case OcspCheck::ask:
      return "ask";
    case OcspCheck::require:
      return "require";
  }
  return "?";
}

using tsock::operator<<;

}  // namespace tsock::inline v0::tls
