#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <tsock/export.hpp>
#include <tsock/message_size.hpp>
#include <utility>

/// Framings that measure, for `Stream::readv_pdu()`, and those of them that have a header of their own also
/// for `Stream::write_pdu()`. All have `max_message`, the longest message accepted, header included, below 2
/// GiB.
namespace tsock::inline v0::framing {

/// A length of 1 to 8 bytes that stands anywhere in the first 64 bytes. The header is what comes up to the
/// end of the length, unless `header_size` says more. Values that do not fit together give EINVAL.
struct length_at {
  std::size_t offset = 0;        ///< bytes before the length
  std::size_t width = 4;         ///< bytes of the length
  bool big_endian = true;        ///< byte order of the length
  std::size_t header_size = 0;   ///< bytes before the body; 0: up to the end of the length
  bool includes_header = false;  ///< the length counts the whole message, not the body alone
  std::size_t max_message = std::size_t{1} << 20;

  [[nodiscard]] TSOCK_EXPORT MessageSize size_of(std::span<const std::byte> bytes) const noexcept;
};

/// Three bytes of length, then the body: TLS handshake messages, HTTP/2 without its other fields, MySQL.
struct u24be {
  std::size_t max_message = std::size_t{1} << 20;

  [[nodiscard]] TSOCK_EXPORT MessageSize size_of(std::span<const std::byte> bytes) const noexcept;
  [[nodiscard]] TSOCK_EXPORT std::size_t write_header(std::size_t body_size,
                                                      std::span<std::byte, 16> header) const noexcept;
};

/// As `u24be`, the lowest byte first.
struct u24le {
  std::size_t max_message = std::size_t{1} << 20;

  [[nodiscard]] TSOCK_EXPORT MessageSize size_of(std::span<const std::byte> bytes) const noexcept;
  [[nodiscard]] TSOCK_EXPORT std::size_t write_header(std::size_t body_size,
                                                      std::span<std::byte, 16> header) const noexcept;
};

/// A length in base 128, the lowest seven bits first (LEB128; delimited messages of Protocol Buffers). A
/// length of more than five bytes, or with needless zeros at its end, gives EMSGSIZE.
struct varint {
  std::size_t max_message = std::size_t{1} << 20;

  [[nodiscard]] TSOCK_EXPORT MessageSize size_of(std::span<const std::byte> bytes) const noexcept;
  [[nodiscard]] TSOCK_EXPORT std::size_t write_header(std::size_t body_size,
                                                      std::span<std::byte, 16> header) const noexcept;
};

/// Packets of the NetBIOS session service (RFC 1002, 4.3) and of SMB over TCP (MS-SMB2, 2.1): a type, and
/// three bytes of length. Messages of every type are read; session messages, type 0, are written. NetBIOS
/// itself allows 17 bits of length, SMB 24.
struct netbios {
  std::size_t max_message = 4 + 0xffffff;

  [[nodiscard]] TSOCK_EXPORT MessageSize size_of(std::span<const std::byte> bytes) const noexcept;
  [[nodiscard]] TSOCK_EXPORT std::size_t write_header(std::size_t body_size,
                                                      std::span<std::byte, 16> header) const noexcept;
};

/// Records of TLS as they are on the wire (RFC 8446, 5.1): type, version, two bytes of length. Something else
/// than TLS gives EPROTO: a type outside 20 to 24, or a major version other than 3. For programs that pass
/// records on; `tsock::tls` speaks TLS.
struct tls_record {
  std::size_t max_message = 5 + 16384 + 2048;

  [[nodiscard]] TSOCK_EXPORT MessageSize size_of(std::span<const std::byte> bytes) const noexcept;
};

/// An element of BER or DER with a definite length (X.690, 8.1): LDAP, Kerberos over other transports, SNMP.
/// The body is the contents. A tag of more than one byte, and the indefinite length, give EPROTO; a length of
/// more than four bytes gives EMSGSIZE.
struct ber {
  std::uint8_t tag = 0x30;  ///< the tag of what is written, and of what is read unless it is 0: SEQUENCE
  std::size_t max_message = std::size_t{1} << 20;

  [[nodiscard]] TSOCK_EXPORT MessageSize size_of(std::span<const std::byte> bytes) const noexcept;
  [[nodiscard]] TSOCK_EXPORT std::size_t write_header(std::size_t body_size,
                                                      std::span<std::byte, 16> header) const noexcept;
};

/// A framing out of a function: `measured{[](std::span<const std::byte> bytes) { return MessageSize...; }}`.
template <class F>
struct measured {
  F function;
  std::size_t max_message = std::size_t{1} << 20;

  [[nodiscard]] MessageSize size_of(std::span<const std::byte> bytes) { return std::invoke(function, bytes); }
};
template <class F>
measured(F) -> measured<F>;
template <class F>
measured(F, std::size_t) -> measured<F>;

}  // namespace tsock::inline v0::framing
