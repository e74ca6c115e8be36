#include "tsock/address.hpp"

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
// The order matters: these headers need the two above.
#include <afunix.h>
#include <iphlpapi.h>
#include <netioapi.h>
#else
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#endif

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <ostream>
#include <type_traits>

#include "core/base/address_text.hpp"

namespace tsock::inline v0 {
namespace {

using detail::append_escaped;
using detail::lower;

#if defined(__linux__) && !defined(TSOCK_PORTABLE)
constexpr bool have_abstract = true;
#else
constexpr bool have_abstract = false;
#endif

constexpr std::size_t path_capacity = sizeof(sockaddr_un::sun_path);
constexpr std::size_t family_end = offsetof(sockaddr, sa_family) + sizeof(sockaddr::sa_family);

// The public header accesses ports and paths at these offsets without knowing the structures.
static_assert(offsetof(sockaddr_in, sin_port) == 2 && offsetof(sockaddr_in6, sin6_port) == 2);
static_assert(offsetof(sockaddr_un, sun_path) == 2);
static_assert(sizeof(sockaddr_storage) <= Address::storage_size &&
              sizeof(sockaddr_un) < Address::storage_size);
static_assert(std::is_trivially_destructible_v<Address>);

constexpr std::size_t v4_offset = offsetof(sockaddr_in, sin_addr);
constexpr std::size_t v6_offset = offsetof(sockaddr_in6, sin6_addr);
constexpr std::size_t scope_offset = offsetof(sockaddr_in6, sin6_scope_id);

constexpr std::array<unsigned char, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

enum class Wanted { unknown, any, ipv4, ipv6 };

bool same_word(std::string_view text, std::string_view word) {
  return std::equal(text.begin(), text.end(), word.begin(), word.end(),
                    [](char a, char b) { return lower(a) == b; });
}

Wanted wanted_family(std::string_view family) {
  if (same_word(family, "ip")) return Wanted::any;
  if (same_word(family, "ipv4")) return Wanted::ipv4;
  if (same_word(family, "ipv6")) return Wanted::ipv6;
  return Wanted::unknown;
}

template <typename Integer>
bool parse_number(std::string_view digits, Integer& value) {
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return problem == std::errc{} && end == digits.data() + digits.size();
}

bool parse_port(std::string_view digits, std::uint16_t& port) {
  return digits.size() <= 5 && parse_number(digits, port);
}

bool parse_raw(int family, std::string_view text, void* ip) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) return false;
  text.copy(terminated.data(), text.size());
  return inet_pton(family, terminated.data(), ip) == 1;
}

// Digits are always a number, never the name of an interface called "2", so that printed numbers keep their
// meaning. Asked for the index of "eth0:80", the kernel looks up "eth0": such text must not pass.
bool parse_scope(std::string_view text, std::uint32_t& scope) {
  if (text.empty()) return false;
  if (text.find_first_not_of("0123456789") == std::string_view::npos) return parse_number(text, scope);
  std::array<char, IF_NAMESIZE> terminated{};
  if (text.size() >= terminated.size()) return false;
  if (text.find_first_of(std::string_view{":\0", 2}) != std::string_view::npos) return false;
  text.copy(terminated.data(), text.size());
  scope = static_cast<std::uint32_t>(if_nametoindex(terminated.data()));
  return scope != 0;
}

// Returns the name if `parse_scope()` maps it back to `scope`, otherwise the number.
std::string scope_text(std::uint32_t scope) {
  constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_@";
  std::array<char, IF_NAMESIZE + 1> buffer{};
  if (if_indextoname(scope, buffer.data()) != nullptr) {
    const std::string_view name = buffer.data();
    if (name.find_first_not_of(plain) == std::string_view::npos &&
        name.find_first_not_of("0123456789") != std::string_view::npos) {
      return std::string(name);
    }
  }
  return std::to_string(scope);
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool unescape(std::string_view text, std::string& bytes) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      if (text[i] == '\0') return false;
      bytes += text[i];
      continue;
    }
    if (text.size() - i < 3) return false;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return false;
    bytes += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return true;
}

// What is in front of the full name of a pipe: four bytes, "pipe" and another one.
constexpr std::size_t pipe_front = 9;

bool is_backslash(char c) { return c == '\\' || c == '/'; }

bool has_pipe_front(std::string_view text) {
  return text.size() >= pipe_front && is_backslash(text[0]) && is_backslash(text[1]) &&
         (text[2] == '.' || text[2] == '?') && is_backslash(text[3]) &&
         same_word(text.substr(4, 4), "pipe") && is_backslash(text[8]);
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

Address failed(int& err, int value) {
  err = value;
  return {};
}

}  // namespace

int Address::einval() noexcept { return EINVAL; }

Address Address::make_ip(const std::byte* ip, std::size_t ip_size, std::uint32_t scope, std::uint16_t port) {
  static_assert(sizeof(sockaddr_in) <= front_size && sizeof(sockaddr_in6) <= front_size);
  Address made;
  if (ip_size == sizeof(in_addr)) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, ip, ip_size);
    std::memcpy(made.storage_.data(), &v4, sizeof v4);
    made.length_ = sizeof v4;
    made.kind_ = Kind::ipv4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v6.sin6_scope_id = scope;
    std::memcpy(&v6.sin6_addr, ip, ip_size);
    std::memcpy(made.storage_.data(), &v6, sizeof v6);
    made.length_ = sizeof v6;
    made.kind_ = Kind::ipv6;
  }
  return made;
}

// `bytes` are the bytes of sun_path without a terminator, at most path_capacity.
Address Address::make_unix(Kind kind, std::string_view bytes) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  bytes.copy(un.sun_path, sizeof un.sun_path);
  Address made;
  std::memcpy(made.storage_.data(), &un, sizeof un);
  const std::size_t terminator = kind == Kind::path && bytes.size() < path_capacity ? 1 : 0;
  made.length_ = static_cast<std::uint32_t>(path_offset + bytes.size() + terminator);
  made.kind_ = kind;
  return made;
}

Address Address::parse_ip(std::string_view family, std::string_view text, std::uint16_t port, int& err) {
  const Wanted wanted = wanted_family(family);
  if (wanted == Wanted::unknown) return failed(err, EAFNOSUPPORT);
  std::array<std::byte, 16> ip{};
  err = 0;
  if (wanted != Wanted::ipv6 && parse_raw(AF_INET, text, ip.data())) return make_ip(ip.data(), 4, 0, port);
  if (wanted == Wanted::ipv4) return failed(err, EINVAL);
  std::uint32_t scope = 0;
  const std::size_t percent = text.find('%');
  if (percent != std::string_view::npos) {
    if (!parse_scope(text.substr(percent + 1), scope)) return failed(err, EINVAL);
    text = text.substr(0, percent);
  }
  if (!parse_raw(AF_INET6, text, ip.data())) return failed(err, EINVAL);
  return make_ip(ip.data(), ip.size(), scope, port);
}

Address Address::inet_from_strings(OptionalText family, OptionalText address, std::uint16_t port, int& err) {
  const std::string_view wildcard = wanted_family(family.text()) == Wanted::ipv4 ? "0.0.0.0" : "::";
  return parse_ip(family.text(), address.has_value() ? address.text() : wildcard, port, err);
}

Address Address::inet_from_hostport_strings(OptionalText family, OptionalText host_port,
                                            std::uint16_t default_port, int& err) {
  std::string_view host = host_port.text();
  const Wanted wanted = wanted_family(family.text());
  if (wanted == Wanted::unknown) return failed(err, EAFNOSUPPORT);
  std::uint16_t port = default_port;
  if (host.starts_with('[')) {
    const std::size_t close = host.find(']');
    if (close == std::string_view::npos || wanted == Wanted::ipv4) return failed(err, EINVAL);
    const std::string_view rest = host.substr(close + 1);
    if (!rest.empty() && (rest[0] != ':' || !parse_port(rest.substr(1), port))) return failed(err, EINVAL);
    return parse_ip("ipv6", host.substr(1, close - 1), port, err);
  }
  const std::size_t colon = host.find(':');
  if (colon != std::string_view::npos && colon == host.rfind(':')) {
    if (!parse_port(host.substr(colon + 1), port)) return failed(err, EINVAL);
    host = host.substr(0, colon);
  }
  if (host.empty()) return inet_from_strings(family, nullptr, port, err);
  return parse_ip(family.text(), host, port, err);
}

Address Address::unix_from_path(OptionalText path, int& err) {
  const std::string_view text = path.text();
  if (text.find('\0') != std::string_view::npos) return failed(err, EINVAL);
  if (text.size() >= path_capacity) return failed(err, ENAMETOOLONG);
  err = 0;
  return text.empty() ? unix_unnamed() : make_unix(Kind::path, text);
}

Address Address::unix_abstract(OptionalText name, int& err) {
  const std::string_view text = name.text();
  if (!have_abstract) return failed(err, EAFNOSUPPORT);
  if (text.size() >= path_capacity) return failed(err, ENAMETOOLONG);
  err = 0;
  std::array<char, path_capacity> bytes{};
  text.copy(bytes.data() + 1, text.size());
  return make_unix(Kind::abstract_name, {bytes.data(), text.size() + 1});
}

Address Address::unix_unnamed() noexcept { return make_unix(Kind::unnamed, {}); }

Address Address::pipe_from_name(OptionalText name, int& err) {
  static_assert(AF_UNSPEC == 0);
  static_assert(longest_pipe_name == storage_size - path_offset);
  std::string_view text = name.text();
  if (has_pipe_front(text)) text.remove_prefix(pipe_front);
  if (text.empty() || is_backslash(text[0]) || text.find('\0') != std::string_view::npos)
    return failed(err, EINVAL);
  if (text.size() > longest_pipe_name) return failed(err, ENAMETOOLONG);
  err = 0;
  Address made;
  std::ranges::transform(text, reinterpret_cast<char*>(made.storage_.data()) + path_offset,
                         [](char c) { return c == '/' ? '\\' : c; });
  made.length_ = static_cast<std::uint32_t>(path_offset + text.size());
  made.kind_ = Kind::pipe;
  return made;
}

Address Address::from_sockaddr(const ::sockaddr* address, std::size_t length, int& err) {
  if (address == nullptr || length < family_end) return failed(err, EINVAL);
  // Copied byte by byte: the caller's buffer need not be aligned for the structure.
  const auto* bytes = reinterpret_cast<const std::byte*>(address);
  decltype(sockaddr::sa_family) family{};
  std::memcpy(&family, bytes + offsetof(sockaddr, sa_family), sizeof family);
  err = 0;
  if (family == AF_INET) {
    sockaddr_in v4{};
    if (length < sizeof v4) return failed(err, EINVAL);
    std::memcpy(&v4, bytes, sizeof v4);
    return make_ip(bytes + v4_offset, sizeof v4.sin_addr, 0, ntohs(v4.sin_port));
  }
  if (family == AF_INET6) {
    sockaddr_in6 v6{};
    if (length < sizeof v6) return failed(err, EINVAL);
    std::memcpy(&v6, bytes, sizeof v6);
    return make_ip(bytes + v6_offset, sizeof v6.sin6_addr, static_cast<std::uint32_t>(v6.sin6_scope_id),
                   ntohs(v6.sin6_port));
  }
  if (family == AF_UNIX) {
    const std::string_view path(reinterpret_cast<const char*>(bytes) + path_offset,
                                std::min(length, sizeof(sockaddr_un)) - path_offset);
    if (path.empty()) return unix_unnamed();
    if (path[0] != '\0') return make_unix(Kind::path, path.substr(0, path.find('\0')));
    // Systems without abstract names pad the address of an unnamed socket with zeros.
    return have_abstract ? make_unix(Kind::abstract_name, path) : unix_unnamed();
  }
  return failed(err, EAFNOSUPPORT);
}

// Parses the forms of `inet_from_hostport_strings()` that have a host.
Address Address::parse_host_port(std::string_view family, std::string_view text, int& err) {
  const bool has_host = !text.empty() && (text[0] != ':' || text.find(':', 1) != std::string_view::npos);
  return has_host ? inet_from_hostport_strings(family, text, 0, err) : failed(err, EINVAL);
}

// Takes "address:port" without brackets only if the text cannot be an address alone, and vice versa.
Address Address::parse_tsocket_ipv6(std::string_view text, int& err) {
  int as_address_err = 0;
  const Address as_address = parse_host_port("ipv6", text, as_address_err);
  err = as_address_err;
  const std::size_t colon = text.rfind(':');
  std::uint16_t port = 0;
  if (text.starts_with('[') || colon == std::string_view::npos || !parse_port(text.substr(colon + 1), port)) {
    return as_address;
  }
  int with_port_err = 0;
  const Address with_port = parse_ip("ipv6", text.substr(0, colon), port, with_port_err);
  if (with_port_err != 0) return as_address;
  if (as_address_err == 0) return failed(err, EINVAL);
  err = 0;
  return with_port;
}

// Parses the text behind "unix:" or "unix-abstract:".
Address Address::parse_unix(std::string_view text, bool abstract, int& err) {
  std::string bytes;
  const bool as_url = take_prefix(text, "//");
  if ((as_url && text.empty()) || !unescape(text, bytes)) return failed(err, EINVAL);
  if (abstract) return unix_abstract(bytes, err);
  // from_sockaddr may have produced a path of this length; only paths made here must be shorter.
  if (bytes.size() == path_capacity && bytes.find('\0') == std::string::npos) {
    err = 0;
    return make_unix(Kind::path, bytes);
  }
  return unix_from_path(bytes, err);
}

// Parses the text behind "pipe:".
Address Address::parse_pipe(std::string_view text, int& err) {
  if (!has_pipe_front(text)) take_prefix(text, "//");
  std::string name;
  if (!unescape(text, name)) return failed(err, EINVAL);
  return pipe_from_name(name, err);
}

Address Address::parse(OptionalText text, int& err) {
  std::string_view rest = text.text();
  if (take_prefix(rest, "ipv4:")) return parse_host_port("ipv4", rest, err);
  if (take_prefix(rest, "ipv6:")) return parse_tsocket_ipv6(rest, err);
  if (take_prefix(rest, "unix-abstract:")) return parse_unix(rest, true, err);
  if (take_prefix(rest, "unix:")) return parse_unix(rest, false, err);
  if (take_prefix(rest, "pipe:")) return parse_pipe(rest, err);
  if (rest.starts_with('/')) return unix_from_path(rest, err);
  if (rest.starts_with('\\')) return pipe_from_name(rest, err);
  return parse_host_port("ip", rest, err);
}

std::span<const std::byte> Address::ip_bytes() const noexcept {
  const std::span<const std::byte> all(storage_);
  if (is_ipv4()) return all.subspan(v4_offset, sizeof(in_addr));
  if (is_ipv6()) return all.subspan(v6_offset, sizeof(in6_addr));
  return {};
}

// The IPv4 address, plain or mapped into IPv6; empty for everything else.
std::span<const std::byte> Address::v4_bytes() const noexcept {
  if (is_ipv4()) return ip_bytes();
  return is_v4_mapped() ? ip_bytes().subspan(mapped_prefix.size()) : std::span<const std::byte>{};
}

std::string Address::ip_text() const {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  inet_ntop(family(), ip_bytes().data(), buffer.data(), buffer.size());
  std::string text = buffer.data();
  if (scope_id() != 0) text += '%' + scope_text(scope_id());
  return text;
}

std::string Address::unix_text() const {
  std::string text = is_abstract() ? "unix-abstract:" : "unix:";
  std::string_view name = is_abstract() ? unix_bytes().substr(1) : unix_bytes();
  // A name that begins with "//" would be parsed as a URL.
  if (name.starts_with("//")) {
    text += "%2F";
    name.remove_prefix(1);
  }
  append_escaped(text, name);
  return text;
}

// No name begins with a slash, as one of a unix socket may.
std::string Address::pipe_text() const {
  std::string text = "pipe:";
  append_escaped(text, name_bytes());
  return text;
}

std::string Address::string() const {
  if (is_unix()) return unix_text();
  if (is_pipe()) return pipe_text();
  if (is_empty()) return "NULL";
  return (is_ipv4() ? "ipv4:" : "ipv6:") + ip_text() + ':' + std::to_string(*port());
}

std::string Address::to_string() const {
  if (is_unix()) return unix_text();
  if (is_pipe()) return pipe_text();
  if (is_empty()) return {};
  const std::string host = is_ipv4() ? ip_text() : '[' + ip_text() + ']';
  return host + ':' + std::to_string(*port());
}

bool Address::is_inet(OptionalText family) const noexcept {
  switch (wanted_family(family.text())) {
    case Wanted::any:
      return is_inet();
    case Wanted::ipv4:
      return is_ipv4();
    case Wanted::ipv6:
      return is_ipv6();
    case Wanted::unknown:
      break;
  }
  return false;
}

bool Address::is_any() const noexcept {
  const auto bytes = v4_bytes().empty() ? ip_bytes() : v4_bytes();
  return !bytes.empty() && std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

bool Address::is_loopback() const noexcept {
  if (const auto v4 = v4_bytes(); !v4.empty()) return v4[0] == std::byte{127};
  const auto v6 = ip_bytes();
  return !v6.empty() && v6.back() == std::byte{1} &&
         std::ranges::all_of(v6.first(v6.size() - 1), [](std::byte b) { return b == std::byte{0}; });
}

bool Address::is_multicast() const noexcept {
  if (const auto v4 = v4_bytes(); !v4.empty()) return (v4[0] & std::byte{0xf0}) == std::byte{0xe0};
  return is_ipv6() && ip_bytes()[0] == std::byte{0xff};
}

bool Address::is_v4_mapped() const noexcept {
  return is_ipv6() && std::memcmp(ip_bytes().data(), mapped_prefix.data(), mapped_prefix.size()) == 0;
}

std::string Address::ip_string(int& err) const {
  err = is_inet() ? 0 : EINVAL;
  return err == 0 ? ip_text() : std::string();
}

Address Address::with_port(std::uint16_t port, int& err) const noexcept {
  Address changed = *this;
  changed.set_port(port, err);
  return err == 0 ? changed : Address();
}

void Address::set_port(std::uint16_t port, int& err) noexcept {
  err = is_inet() ? 0 : EINVAL;
  if (err != 0) return;
  storage_[2] = static_cast<std::byte>(port >> 8U);
  storage_[3] = static_cast<std::byte>(port & 0xffU);
}

std::uint32_t Address::scope_id() const noexcept {
  std::uint32_t scope = 0;
  if (is_ipv6()) std::memcpy(&scope, storage_.data() + scope_offset, sizeof scope);
  return scope;
}

std::size_t Address::copy_sockaddr(std::span<std::byte> out, int& err) const noexcept {
  err = !has_sockaddr() || out.size() < length_ ? EINVAL : 0;
  if (err != 0) return 0;
  std::memcpy(out.data(), storage_.data(), length_);
  std::ranges::fill(out.subspan(length_), std::byte{0});
  return length_;
}

int Address::family() const noexcept {
  if (is_ipv4()) return AF_INET;
  if (is_ipv6()) return AF_INET6;
  return is_unix() ? AF_UNIX : AF_UNSPEC;
}

std::strong_ordering operator<=>(const Address& a, const Address& b) noexcept {
  if (a.kind_ != b.kind_) return a.kind_ <=> b.kind_;
  if (a.is_unix()) return a.unix_bytes() <=> b.unix_bytes();
  if (a.is_pipe()) return a.name_bytes() <=> b.name_bytes();
  if (a.is_empty()) return std::strong_ordering::equal;
  const auto ip = a.ip_bytes();
  if (const int order = std::memcmp(ip.data(), b.ip_bytes().data(), ip.size()); order != 0)
    return order <=> 0;
  if (a.scope_id() != b.scope_id()) return a.scope_id() <=> b.scope_id();
  return *a.port() <=> *b.port();
}

std::ostream& operator<<(std::ostream& out, const Address& address) {
  return out << (address.is_empty() ? std::string("NULL") : address.to_string());
}

}  // namespace tsock::inline v0
