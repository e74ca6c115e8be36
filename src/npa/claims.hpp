#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tsock/npa/claims.hpp>

#include "npa/ndr.hpp"

namespace tsock::inline v0::npa {

inline constexpr std::array claim_kinds{Claims::Kind::local, Claims::Kind::user, Claims::Kind::device};
inline constexpr std::uint32_t most_claims = 65536;

/// Claims in a token: entries, of a size that they tell themselves, and behind the token their names and
/// values, of which an entry has the offsets in the message. Only the order in which Samba writes them is
/// read, one behind the other, so that nothing is looked at twice and they can be written as they were.
struct ClaimsCodec {
  static void read_entries(NdrReader& reader, Claims& claims, const std::array<std::uint32_t, 3>& counts);
  static void read_data(NdrReader& reader, Claims& claims);
  /// \param data where in the message `write_data()` will write
  static void write_entries(NdrWriter& writer, const Claims& claims, std::size_t data) noexcept;
  static void write_data(NdrWriter& writer, const Claims& claims) noexcept { writer.bytes(claims.data_); }
  /// Whether a reader failed with claims that may be good.
  [[nodiscard]] static bool is_unsupported(std::string_view what) noexcept;
};

}  // namespace tsock::inline v0::npa
