#include "foreign_address.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

namespace tsock_cat {
namespace {

// What stands before the colon with socat, in capital letters, and what we have: options, and the beginning
// of an ADDRESS. An empty `address` is something that tsock-cat does not do; `options` then says what else
// there is.
struct ForeignKind {
  std::string_view name;
  std::string_view options;
  std::string_view address;
};

constexpr std::array foreign_kinds{
    ForeignKind{"TCP", "", "tcp://"},
    ForeignKind{"TCP4", "-4 ", "tcp://"},
    ForeignKind{"TCP6", "-6 ", "tcp://"},
    ForeignKind{"TCP-CONNECT", "", "tcp://"},
    ForeignKind{"TCP4-CONNECT", "-4 ", "tcp://"},
    ForeignKind{"TCP6-CONNECT", "-6 ", "tcp://"},
    ForeignKind{"TCP-LISTEN", "", "tcp-listen://:"},
    ForeignKind{"TCP-L", "", "tcp-listen://:"},
    ForeignKind{"TCP4-LISTEN", "-4 ", "tcp-listen://:"},
    ForeignKind{"TCP6-LISTEN", "-6 ", "tcp-listen://:"},
    ForeignKind{"TCP4-L", "-4 ", "tcp-listen://:"},
    ForeignKind{"TCP6-L", "-6 ", "tcp-listen://:"},
    ForeignKind{"OPENSSL", "", "tls://"},
    ForeignKind{"OPENSSL-CONNECT", "", "tls://"},
    ForeignKind{"SSL", "", "tls://"},
    ForeignKind{"OPENSSL-LISTEN", "", "tls-listen://:"},
    ForeignKind{"SSL-L", "", "tls-listen://:"},
    ForeignKind{"UDP", "", "udp://"},
    ForeignKind{"UDP4", "-4 ", "udp://"},
    ForeignKind{"UDP6", "-6 ", "udp://"},
    ForeignKind{"UDP-CONNECT", "", "udp://"},
    ForeignKind{"UDP4-CONNECT", "-4 ", "udp://"},
    ForeignKind{"UDP6-CONNECT", "-6 ", "udp://"},
    ForeignKind{"UDP-SENDTO", "", "udp://"},
    ForeignKind{"UDP4-SENDTO", "-4 ", "udp://"},
    ForeignKind{"UDP6-SENDTO", "-6 ", "udp://"},
    ForeignKind{"UDP-DATAGRAM", "", "udp://"},
    ForeignKind{"UDP4-DATAGRAM", "-4 ", "udp://"},
    ForeignKind{"UDP6-DATAGRAM", "-6 ", "udp://"},
    ForeignKind{"UDP-LISTEN", "", "udp-listen://:"},
    ForeignKind{"UDP4-LISTEN", "-4 ", "udp-listen://:"},
    ForeignKind{"UDP6-LISTEN", "-6 ", "udp-listen://:"},
    ForeignKind{"UDP-L", "", "udp-listen://:"},
    ForeignKind{"UDP-RECV", "--recv-only ", "udp-listen://:"},
    ForeignKind{"UDP4-RECV", "-4 --recv-only ", "udp-listen://:"},
    ForeignKind{"UDP6-RECV", "-6 --recv-only ", "udp-listen://:"},
    ForeignKind{"UDP-RECVFROM", "", "udp-listen://:"},
    ForeignKind{"UDP4-RECVFROM", "-4 ", "udp-listen://:"},
    ForeignKind{"UDP6-RECVFROM", "-6 ", "udp-listen://:"},
    ForeignKind{"UNIX", "", "unix:"},
    ForeignKind{"UNIX-CONNECT", "", "unix:"},
    ForeignKind{"UNIX-CLIENT", "", "unix:"},
    ForeignKind{"UNIX-LISTEN", "", "unix-listen:"},
    ForeignKind{"UNIX-L", "", "unix-listen:"},
    ForeignKind{"UNIX-SENDTO", "", "unix-dgram:"},
    ForeignKind{"UNIX-RECV", "--recv-only ", "unix-dgram-listen:"},
    ForeignKind{"UNIX-RECVFROM", "", "unix-dgram-listen:"},
    ForeignKind{"ABSTRACT-CONNECT", "", "unix-abstract:"},
    ForeignKind{"ABSTRACT-CLIENT", "", "unix-abstract:"},
    ForeignKind{"ABSTRACT-LISTEN", "", "unix-abstract-listen:"},
    ForeignKind{"ABSTRACT-SENDTO", "", "unix-abstract-dgram:"},
    ForeignKind{"ABSTRACT-RECV", "--recv-only ", "unix-abstract-dgram-listen:"},
    ForeignKind{"STDIO", "", "-"},
    ForeignKind{"STDIN", "--send-only ", "-"},
    ForeignKind{"STDOUT", "--recv-only ", "-"},
    ForeignKind{"FD", "", "fd:"},
    ForeignKind{"EXEC", "", "exec:"},
    ForeignKind{"SYSTEM", "", "exec:/bin/sh -c "},
    ForeignKind{"SHELL", "", "exec:/bin/sh -c "},
    ForeignKind{"FILE", "", "file:"},
    ForeignKind{"OPEN", "", "file:"},
    ForeignKind{"GOPEN", "", "file:"},
    ForeignKind{"CREATE", "", "file:"},
    ForeignKind{"CREAT", "", "file:"},
    ForeignKind{"PIPE", "there is echo: and file:", ""},
    ForeignKind{"SOCKS4", "there is --proxy socks5://HOST:PORT", ""},
    ForeignKind{"SOCKS4A", "there is --proxy socks5://HOST:PORT", ""},
    ForeignKind{"SOCKS5", "there is --proxy socks5://HOST:PORT", ""},
    ForeignKind{"PROXY", "there is --proxy http://HOST:PORT", ""},
    ForeignKind{"PROXY-CONNECT", "there is --proxy http://HOST:PORT", ""},
    ForeignKind{"PTY", "there are no terminals here", ""},
    ForeignKind{"TUN", "there are no network interfaces here", ""},
    ForeignKind{"READLINE", "rlwrap(1) does it for any program", ""},
    ForeignKind{"SCTP", "there is no SCTP here", ""},
    ForeignKind{"SCTP-LISTEN", "there is no SCTP here", ""},
    ForeignKind{"VSOCK", "there is no VSOCK here", ""},
    ForeignKind{"VSOCK-CONNECT", "there is no VSOCK here", ""},
    ForeignKind{"VSOCK-LISTEN", "there is no VSOCK here", ""},
};

// What stands after a comma with socat, up to the equals sign, and our option; empty for what we do anyway.
struct ForeignOption {
  std::string_view name;
  std::string_view option;
};

constexpr std::array foreign_address_options{
    ForeignOption{"fork", "-k "},
    ForeignOption{"crnl", "-C "},
    ForeignOption{"crlf", "-C "},
    ForeignOption{"broadcast", "-b "},
    ForeignOption{"reuseport", "--reuseport "},
    ForeignOption{"unlink-early", "--unlink=force "},
};

// ... and which have a value that our option takes.
constexpr std::array foreign_values{
    ForeignOption{"mode", "--mode "},         ForeignOption{"group", "--group "},
    ForeignOption{"backlog", "--backlog "},   ForeignOption{"max-children", "--max-conns "},
    ForeignOption{"connect-timeout", "-w "},  ForeignOption{"sourceport", "-p "},
    ForeignOption{"cert", "--tls-cert "},     ForeignOption{"certificate", "--tls-cert "},
    ForeignOption{"key", "--tls-key "},       ForeignOption{"cafile", "--tls-ca "},
    ForeignOption{"capath", "--tls-ca-dir "}, ForeignOption{"commonname", "--tls-name "},
    ForeignOption{"snihost", "--tls-sni "},
};

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

const ForeignKind* foreign_kind(std::string_view text) {
  std::string name(text.substr(0, text.find_first_of(":,")));
  if (std::none_of(name.begin(), name.end(), [](unsigned char c) { return std::isupper(c) != 0; })) {
    // In small letters only what cannot be a host and a port: "tcp4-listen:80", "tcp4:host:80",
    // "ssl://host:443".
    const bool has_two_colons = std::count(text.begin(), text.end(), ':') > 1;
    const bool is_host = !has_two_colons && name.find('-') == std::string::npos && name != "openssl";
    if (name == text || is_host) return nullptr;
  }
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const auto* const found = std::find_if(foreign_kinds.begin(), foreign_kinds.end(),
                                         [&name](const ForeignKind& each) { return each.name == name; });
  return found != foreign_kinds.end() ? found : nullptr;
}

// Puts backslashes before `marked`, and `quote` around it all.
std::string quoted(std::string_view text, char quote, std::string_view marked) {
  std::string result(1, quote);
  for (const char c : text) {
    if (marked.find(c) != std::string_view::npos) result += '\\';
    result += c;
  }
  return result + quote;
}

// As it has to be typed into a shell.
std::string shell_word(std::string_view text) {
  if (text.find_first_of(" \t\"'\\$&;|<>()*?#`!~") == std::string_view::npos) return std::string(text);
  if (text.find('\'') == std::string_view::npos) return quoted(text, '\'', "");
  return quoted(text, '"', "\"\\$`");
}

std::string our_address(const ForeignKind& kind, std::string_view rest) {
  if (kind.address == "-") return "-";
  const std::string address(kind.address);
  if (address.ends_with(' ')) return shell_word(address + quoted(rest, '"', "\"\\"));
  const bool is_url = address.find("//") != std::string::npos;
  if (is_url && rest.starts_with("//")) rest.remove_prefix(2);
  if (address.ends_with("//:") && rest.find(':') != std::string_view::npos)  // "tcp4-listen://[::1]:80"
    return shell_word(address.substr(0, address.size() - 1) + std::string(rest));
  return shell_word(address + std::string(rest));
}

std::string our_option(std::string_view foreign) {
  const std::size_t equals = foreign.find('=');
  const std::string_view name = foreign.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? "" : foreign.substr(equals + 1);
  if (name == "verify") return value == "0" ? "--insecure " : "";
  for (const ForeignOption& each : foreign_address_options) {
    if (each.name == name && value != "0") return std::string(each.option);
  }
  for (const ForeignOption& each : foreign_values) {
    if (each.name == name) return std::string(each.option) + std::string(value) + " ";
  }
  return {};
}

}  // namespace

bool is_foreign_address(std::string_view text) { return foreign_kind(text) != nullptr; }

std::string foreign_address_advice(std::string_view text) {
  const ForeignKind& kind = *foreign_kind(text);
  std::string advice = std::string(text) + " is socat's; ";
  if (kind.address.empty()) return advice + std::string(kind.options);
  const auto parts = split(text, ',');
  std::string options(kind.options);
  std::for_each(parts.begin() + 1, parts.end(), [&](std::string_view part) { options += our_option(part); });
  const std::size_t colon = parts.front().find(':');
  const std::string_view rest = colon != std::string_view::npos ? parts.front().substr(colon + 1) : "";
  return advice + "write: tsock-cat " + options + our_address(kind, rest);
}

}  // namespace tsock_cat
