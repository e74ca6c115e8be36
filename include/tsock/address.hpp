#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tsock/export.hpp>
#include <tsock/optional_text.hpp>

struct sockaddr;  // the system's; named here so that this header drags in no socket header

namespace tsock::inline v0 {

// The friends that are not inline: the class's export is not theirs.
class Address;
TSOCK_EXPORT std::strong_ordering operator<=>(const Address& a, const Address& b) noexcept;
TSOCK_EXPORT std::ostream& operator<<(std::ostream& out, const Address& address);

/// One endpoint as a value: IPv4, IPv6 (with scope), a unix path, an abstract or an unnamed unix socket, a
/// named pipe of Windows. A default constructed Address is "no address".
///
/// The sockaddr, or the pipe's name, is stored inside the object: copying never allocates, and several
/// threads may read one Address. Functions that can fail always set `err`: 0 or a positive errno value; a
/// function that returns an Address then returns the empty one. Names are never resolved here; all text is
/// numeric.
///
/// The bytes are kept in one normal form (padding and the IPv6 flow label zero, unix paths terminated), so
/// addresses of the same endpoint compare equal wherever they came from.
class TSOCK_EXPORT Address {
 public:
  /// Bytes of sockaddr that fit: the size of sockaddr_storage.
  static constexpr std::size_t storage_size = 128;
  /// Bytes of the longest name of a pipe.
  static constexpr std::size_t longest_pipe_name = storage_size - 2;

  /// No address: is_empty(), AF_UNSPEC, sockaddr_pointer() == nullptr.
  Address() noexcept { std::memset(storage_.data(), 0, front_size); }
  /// Copies the used bytes only: every datagram carries an address.
  Address(const Address& other) noexcept { copy(other); }
  Address& operator=(const Address& other) noexcept {
    if (this != &other) copy(other);
    return *this;
  }
  ~Address() = default;

  /// An IP endpoint from numeric text (tsocket_address_inet_from_strings).
  ///
  /// `family` is "ip", "ipv4" or "ipv6" in any case. A null `address` is the wildcard: "::" for "ip". IPv6
  /// text may end in a scope, an interface name or its number: "fe80::1%eth0", "fe80::1%2". IPv4 text is four
  /// decimal numbers; the old short and octal spellings are refused. Errors:
  ///  - EAFNOSUPPORT: an unknown family
  ///  - EINVAL: text that is not an address of this family, empty text included, or a scope that names no
  ///    interface
  [[nodiscard]] static Address inet_from_strings(OptionalText family, OptionalText address,
                                                 std::uint16_t port, int& err);

  /// An IP endpoint from "v4", "v4:port", "v6", "[v6]" or "[v6]:port"
  /// (tsocket_address_inet_from_hostport_strings).
  ///
  /// Null, "" and the empty host of ":port" are the wildcard of the family, as above. Text with two or more
  /// colons outside brackets is an IPv6 address without a port, also in the form "::ffff:1.2.3.4".
  /// `default_port` is used if the text has none. Errors:
  ///  - EAFNOSUPPORT: an unknown family
  ///  - EINVAL: anything else, including a port that is empty, not a number or above 65535, and text behind
  ///    "]"
  [[nodiscard]] static Address inet_from_hostport_strings(OptionalText family, OptionalText host_port,
                                                          std::uint16_t default_port, int& err);

  /// A unix socket by path (tsocket_address_unix_from_path). Null and "" are the unnamed address: do not
  /// bind. Errors:
  ///  - ENAMETOOLONG: path and terminator do not fit sun_path (108 bytes on Linux)
  ///  - EINVAL: an embedded NUL
  [[nodiscard]] static Address unix_from_path(OptionalText path, int& err);

  /// A unix socket in Linux' abstract namespace (unix(7)). `name` has no leading NUL and may hold any byte;
  /// null is the empty name. Errors:
  ///  - ENAMETOOLONG: above 107 bytes
  ///  - EAFNOSUPPORT: the system has no such namespace
  [[nodiscard]] static Address unix_abstract(OptionalText name, int& err);

  /// A named pipe of Windows, which is a stream between processes of one host. Such an address can be made
  /// and printed on every system; elsewhere connecting and listening give EAFNOSUPPORT.
  ///
  /// `name` is in UTF-8: "name", or in full as "\\\\.\\pipe\\name". Slashes may stand for backslashes, and
  /// become them. The name itself may have backslashes, but not in front. Windows does not tell capital
  /// letters from small ones; an Address keeps and compares them as they are. Errors:
  ///  - EINVAL: an empty name, an embedded NUL, a pipe of another host ("\\\\host\\pipe\\name")
  ///  - ENAMETOOLONG: above `longest_pipe_name` bytes, without the front
  [[nodiscard]] static Address pipe_from_name(OptionalText name, int& err);

  /// The unix address without a name, as getpeername returns for most clients.
  [[nodiscard]] static Address unix_unnamed() noexcept;

  /// Copies a sockaddr that the system filled in (tsocket_address_bsd_from_sockaddr); `length` in bytes. A
  /// unix address may have any length that covers its family: what exceeds sockaddr_un is cut off, and a path
  /// that fills sun_path without a terminator is kept whole. Errors:
  ///  - EINVAL: null, or a length too short for the family
  ///  - EAFNOSUPPORT: another family
  [[nodiscard]] static Address from_sockaddr(const ::sockaddr* address, std::size_t length, int& err);

  /// Reads every form that to_string() prints of an address, and returns the same address.
  ///
  /// Also accepted: the forms of inet_from_hostport_strings ("ip", default port 0) that have a host; the
  /// prefixes "ipv4:" and "ipv6:" of string(); an absolute path, and the full name of a pipe as in
  /// `pipe_from_name()` that begins with a backslash, whose bytes are taken as they are; "unix://",
  /// "unix-abstract://" and "pipe://" in front of a name. "ipv6:2001::1:80" could mean two endpoints: such
  /// text is refused; brackets make it unambiguous. In names behind a prefix "%" introduces two hexadecimal
  /// digits.
  ///
  /// Shorthand whose meaning depends on the use is refused: ":7000" does not say whether to listen on IPv4,
  /// IPv6 or both, nor which host to connect to; "7000" was once an IPv4 address; a name has to be looked up.
  /// Empty or null text is not an address either, though to_string() prints it for an empty one.
  /// parse_error_text() explains such errors. Errors: EINVAL; ENAMETOOLONG.
  [[nodiscard]] static Address parse(OptionalText text, int& err);

  /// Explains why parse() refuses a text, and how to write what was probably meant: one line without the text
  /// in front. Empty if parse() accepts it. The wording may change.
  [[nodiscard]] static std::string parse_error_text(OptionalText text);

  /// tsocket's text for logs (tsocket_address_string): "ipv4:1.2.3.4:80", "ipv6:2001::1:80", "unix:/path",
  /// "NULL" for no address. Not for parsing: the end of an IPv6 address cannot be told from its port.
  [[nodiscard]] std::string string() const;

  /// The canonical text, which parse() reads back: "1.2.3.4:80", "[fe80::1%eth0]:80", "unix:/path",
  /// "unix-abstract:name", "unix:" for unnamed, "pipe:name", "" for no address. In names "%", all bytes that
  /// are not printable ASCII, and the first of two leading slashes appear as "%XX", so it is always one line.
  [[nodiscard]] std::string to_string() const;

  [[nodiscard]] bool is_empty() const noexcept { return kind_ == Kind::none; }
  explicit operator bool() const noexcept { return kind_ != Kind::none; }

  /// Whether this is an IP address of `family` "ip", "ipv4" or "ipv6" in any case
  /// (tsocket_address_is_inet); false for an unknown family, or null.
  [[nodiscard]] bool is_inet(OptionalText family) const noexcept;
  [[nodiscard]] bool is_inet() const noexcept { return is_ipv4() || is_ipv6(); }
  [[nodiscard]] bool is_ipv4() const noexcept { return kind_ == Kind::ipv4; }
  [[nodiscard]] bool is_ipv6() const noexcept { return kind_ == Kind::ipv6; }
  /// Whether this is a unix address of any sort (tsocket_address_is_unix).
  [[nodiscard]] bool is_unix() const noexcept { return kind_ >= Kind::unnamed && kind_ != Kind::pipe; }
  [[nodiscard]] bool is_abstract() const noexcept { return kind_ == Kind::abstract_name; }
  [[nodiscard]] bool is_unnamed() const noexcept { return kind_ == Kind::unnamed; }
  /// Whether this is the name of a pipe.
  [[nodiscard]] bool is_pipe() const noexcept { return kind_ == Kind::pipe; }

  /// The wildcard address, "0.0.0.0" or "::". This and the next two functions judge a v4-mapped address by
  /// its IPv4 address, and are false for anything that is not an IP address.
  [[nodiscard]] bool is_any() const noexcept;
  /// 127.0.0.0/8 or "::1".
  [[nodiscard]] bool is_loopback() const noexcept;
  /// 224.0.0.0/4 or ff00::/8.
  [[nodiscard]] bool is_multicast() const noexcept;
  /// "::ffff:a.b.c.d", an IPv4 endpoint seen through an IPv6 socket.
  [[nodiscard]] bool is_v4_mapped() const noexcept;

  /// The numeric address without brackets and port (tsocket_address_inet_addr_string), with its scope:
  /// "fe80::1%eth0". Errors: EINVAL and "" if this is not an IP address.
  [[nodiscard]] std::string ip_string(int& err) const;

  /// The port in host order (tsocket_address_inet_port); no value if this is not an IP address.
  [[nodiscard]] std::optional<std::uint16_t> port() const noexcept {
    if (!is_inet()) return std::nullopt;
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(storage_[2]) << 8U |
                                      std::to_integer<unsigned>(storage_[3]));
  }
  /// A copy with another port. Errors: EINVAL and no address if this is not an IP address.
  [[nodiscard]] Address with_port(std::uint16_t port, int& err) const noexcept;
  /// Changes the port (tsocket_address_inet_set_port). Errors: EINVAL, with nothing changed, if this is not
  /// an IP address.
  void set_port(std::uint16_t port, int& err) noexcept;

  /// The IPv6 interface index; 0 if there is none.
  [[nodiscard]] std::uint32_t scope_id() const noexcept;

  /// The path of a unix address (tsocket_address_unix_path): "" if unnamed, with the leading NUL if abstract.
  /// The view points into this object and is valid as long as it. Errors: EINVAL if this is not a unix
  /// address.
  [[nodiscard]] std::string_view unix_path(int& err) const noexcept {
    err = 0;
    if (is_unix()) return unix_bytes();
    err = einval();
    return {};
  }

  /// The name of a pipe, without the front. The view points into this object and is valid as long as it.
  /// Errors: EINVAL if this is not the name of a pipe.
  [[nodiscard]] std::string_view pipe_name(int& err) const noexcept {
    err = 0;
    if (is_pipe()) return name_bytes();
    err = einval();
    return {};
  }

  /// The arguments for connect, bind and sendto; nullptr and 0 for no address, and for a pipe, which has no
  /// sockaddr. Points into this object.
  [[nodiscard]] const ::sockaddr* sockaddr_pointer() const noexcept {
    return has_sockaddr() ? reinterpret_cast<const ::sockaddr*>(storage_.data()) : nullptr;
  }
  [[nodiscard]] std::size_t sockaddr_length() const noexcept { return is_pipe() ? 0 : length_; }

  /// Copies the sockaddr to `out` and zeroes the rest of it (tsocket_address_bsd_sockaddr). Returns the
  /// sockaddr's length. Errors: EINVAL and 0 for no address and for a pipe, or if `out` is too small, which
  /// is then untouched.
  std::size_t copy_sockaddr(std::span<std::byte> out, int& err) const noexcept;

  /// AF_INET, AF_INET6, AF_UNIX, or AF_UNSPEC for no address and for a pipe.
  [[nodiscard]] int family() const noexcept;

  friend bool operator==(const Address& a, const Address& b) noexcept {
    if (a.length_ != b.length_) return false;
    // The front is zero behind a shorter address.
    return a.length_ <= front_size ? std::memcmp(a.storage_.data(), b.storage_.data(), front_size) == 0
                                   : std::memcmp(a.storage_.data(), b.storage_.data(), a.length_) == 0;
  }
  /// Orders by kind (none, IPv4, IPv6, unix unnamed, path, abstract, pipe), then IP address, scope and port,
  /// or the bytes of the name. The same on every platform.
  friend std::strong_ordering operator<=>(const Address& a, const Address& b) noexcept;

  /// Equal addresses have equal hashes; the value differs between platforms.
  [[nodiscard]] std::size_t hash() const noexcept {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(storage_.data()), length_});
  }

  /// Prints to_string(), or "NULL" for no address.
  friend std::ostream& operator<<(std::ostream& out, const Address& address);

 private:
  friend class SendFrom;
  enum class Kind : std::uint8_t { none, ipv4, ipv6, unnamed, path, abstract_name, pipe };

  static constexpr std::size_t path_offset = 2;  // of sun_path; checked against the system in the source
  static constexpr std::size_t front_size = 32;  // holds any IP address; the source checks that, too

  static int einval() noexcept;
  static Address make_ip(const std::byte* ip, std::size_t ip_size, std::uint32_t scope, std::uint16_t port);
  static Address make_unix(Kind kind, std::string_view bytes);
  static Address parse_ip(std::string_view family, std::string_view text, std::uint16_t port, int& err);
  static Address parse_host_port(std::string_view family, std::string_view text, int& err);
  static Address parse_tsocket_ipv6(std::string_view text, int& err);
  static Address parse_unix(std::string_view text, bool abstract, int& err);
  static Address parse_pipe(std::string_view text, int& err);

  std::span<const std::byte> ip_bytes() const noexcept;
  std::span<const std::byte> v4_bytes() const noexcept;
  std::string ip_text() const;
  std::string unix_text() const;
  std::string pipe_text() const;

  [[nodiscard]] bool has_sockaddr() const noexcept { return kind_ != Kind::none && kind_ != Kind::pipe; }
  // Of a pipe, too, whose name is behind AF_UNSPEC.
  std::string_view name_bytes() const noexcept {
    return {reinterpret_cast<const char*>(storage_.data()) + path_offset, length_ - path_offset};
  }
  std::string_view unix_bytes() const noexcept {
    std::string_view bytes = name_bytes();
    if (kind_ == Kind::path && storage_[length_ - 1] == std::byte{0}) bytes.remove_suffix(1);
    return bytes;
  }

  void copy(const Address& other) noexcept {
    length_ = other.length_;
    kind_ = other.kind_;
    if (length_ <= front_size) [[likely]] {
      std::memcpy(storage_.data(), other.storage_.data(), front_size);
    } else {
      std::memcpy(storage_.data(), other.storage_.data(), length_);
    }
  }

  // Before the storage: the usual address uses only its front.
  std::uint32_t length_ = 0;
  Kind kind_ = Kind::none;
  // The front is zero behind a shorter address; bytes behind both `length_` and the front are not set.
  alignas(8) std::array<std::byte, storage_size> storage_;
};

}  // namespace tsock::inline v0

template <>
struct std::hash<tsock::Address> {
  std::size_t operator()(const tsock::Address& address) const noexcept { return address.hash(); }
};
