#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <tsock/export.hpp>
#include <tsock/proxy/header.hpp>
#include <vector>

namespace tsock::inline v0::proxy {

/// The most bytes of a line of version 1, its end included.
inline constexpr std::size_t longest_v1_header = 107;
/// The most bytes of a header of version 2.
inline constexpr std::size_t longest_v2_header = 16 + 65535;
/// What is read of a header of version 2 unless somebody says otherwise.
inline constexpr std::size_t usual_v2_limit = 4096;

/// What `parse_header()` has found.
struct ParsedHeader {
  /// 0, or why there is no header:
  ///  - ENOMSG: the first bytes are of something else
  ///  - EPROTO: it is malformed
  ///  - EMSGSIZE: it is longer than the limit
  int err = 0;
  std::size_t size = 0;          ///< bytes of a header that is complete
  std::size_t input = 0;         ///< not 0: so many bytes are needed to go on
  bool is_begun = false;         ///< with `input`: the bytes are the beginning of a header, and nothing else
  std::string_view reason = {};  ///< the error in words, a literal
};

/// Reads a header of either version from the front of `bytes`. Nobody may be believed for having sent one:
/// whether the sender is a proxy is the caller's affair.
///
/// The checksum of version 2 (CRC32C) is verified where there is one, and the structure of all TLVs is
/// checked. With the command LOCAL, and with a family that the proxy does not name, the rest of the header is
/// skipped, as proxy-protocol.txt says. \param header set when the header is complete and without fault
/// \param most_v2 what version 2 may have in all, 16 bytes at least. Throws std::bad_alloc.
[[nodiscard]] TSOCK_EXPORT ParsedHeader parse_header(std::span<const std::byte> bytes, Header& header,
                                                     std::size_t most_v2 = usual_v2_limit);

struct HeaderFormat {
  bool checksum = false;  ///< adds a CRC32C to version 2
};

/// The bytes of a header, of the version that it names. IPv4 beside IPv6 is sent as v4-mapped IPv6, and two
/// v4-mapped addresses as IPv4. Version 1 has no place for unix addresses, datagrams, TLVs and LOCAL: it says
/// UNKNOWN, and leaves TLVs out. A TLV of type CRC32C is left out. On failure empty, with `err`:
///  - EINVAL: addresses of two kinds, or one that is missing
///  - EMSGSIZE: TLVs of more than version 2 can hold
///
/// Throws std::bad_alloc.
[[nodiscard]] TSOCK_EXPORT std::vector<std::byte> format_header(const Header& header, int& err,
                                                                const HeaderFormat& format = {});

}  // namespace tsock::inline v0::proxy
