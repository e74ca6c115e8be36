#pragma once

#include <ostream>
#include <string_view>
#include <tsock/gssapi/message_options.hpp>
#include <tsock/output.hpp>

/// As `tsock/output.hpp`, for GSSAPI.
namespace tsock::inline v0::gssapi {

[[nodiscard]] constexpr std::string_view name_of(Protection protection) noexcept {
  switch (protection) {
    case Protection::integrity:
      return "integrity";
    case Protection::confidentiality:
      return "confidentiality";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(Frame frame) noexcept {
  switch (frame) {
    case Frame::length:
      return "length";
    case Frame::postgresql:
      return "postgresql";
    case Frame::mit_sample:
      return "mit_sample";
  }
  return "?";
}

using tsock::operator<<;

}  // namespace tsock::inline v0::gssapi
