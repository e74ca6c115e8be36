#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <tsock/address.hpp>

#include "core/base/address_text.hpp"

namespace tsock::inline v0 {
namespace {

using detail::is_all_numbers;
using detail::is_digit;
using detail::is_letter;

// A part of the text, quoted: safe to print and limited in length.
std::string quoted(std::string_view part) {
  constexpr std::size_t longest = 40;
  std::string out = "\"";
  for (const char c : part.substr(0, longest)) {
    if (c == '%') {
      out += c;
    } else {
      detail::append_escaped(out, {&c, 1});
    }
  }
  return out + (part.size() > longest ? "...\"" : "\"");
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

bool is_ip(std::string_view text) {
  int err = 0;
  static_cast<void>(Address::inet_from_strings("ip", text, 0, err));
  return err == 0;
}

// Returns an empty string if the port is valid.
std::string port_error(std::string_view port) {
  if (port.empty()) return "the port is missing behind the colon";
  if (!all_digits(port)) {
    return quoted(port) + (std::any_of(port.begin(), port.end(), is_letter)
                               ? " is no port number, and names of services are not looked up here"
                               : " is no port number");
  }
  std::string_view number = port;
  while (number.size() > 1 && number[0] == '0') number.remove_prefix(1);
  if (number.size() > 5 || std::stoul(std::string(number)) > 65535) {
    return "port " + quoted(port) + " is above 65535";
  }
  return port.size() > 5 ? "port " + quoted(port) + " has more than five digits" : std::string();
}

// Lists the addresses that a port without an address may have meant.
std::string with_port(std::string_view port) {
  const std::string number = port_error(port).empty() ? std::string(port) : "7000";
  std::string text = "127.0.0.1:";
  text.append(number).append(" is this host for itself, 0.0.0.0:").append(number);
  text.append(" all its IPv4 addresses, [::]:").append(number).append(" its IPv6 addresses");
  return text;
}

std::string ipv6_error(std::string_view text) {
  const std::size_t percent = text.find('%');
  if (percent != std::string_view::npos && is_ip(text.substr(0, percent))) {
    return "there is no interface " + quoted(text.substr(percent + 1));
  }
  return quoted(text) + " is no IPv6 address";
}

std::string bracket_error(std::string_view text) {
  const std::size_t close = text.find(']');
  if (close == std::string_view::npos) return "the ] is missing: [::1]:7000";
  const std::string_view inside = text.substr(1, close - 1);
  const std::string_view rest = text.substr(close + 1);
  if (inside.find(':') == std::string_view::npos) return "brackets are for IPv6 addresses: [::1]:7000";
  if (!is_ip(inside)) return ipv6_error(inside);
  if (rest.starts_with(':')) return port_error(rest.substr(1));
  return "behind the ] only a colon and a port may follow";
}

std::string host_error(std::string_view host, std::string_view port) {
  if (is_all_numbers(host)) {
    return quoted(host) +
           " is no IPv4 address: that is four decimal numbers from 0 to 255 without leading zeros, such as "
           "127.0.0.1";
  }
  if (const std::size_t percent = host.find('%'); percent != std::string_view::npos) {
    return "only IPv6 addresses have an interface behind %: [fe80::1%eth0]:7000";
  }
  std::string tail;
  if (!port.empty()) tail.append(1, ':').append(port);
  return quoted(host) + " is no numeric address, and names are not looked up here: write 127.0.0.1" + tail +
         " or [::1]" + tail + " for this host";
}

std::string inet_error(std::string_view text) {
  if (text.empty()) return "the address is missing";
  if (all_digits(text)) {
    if (port_error(text).empty()) return "a port without an address: " + with_port(text);
    return quoted(text) + " is a number and no address";
  }
  if (text[0] == '[') return bracket_error(text);
  const std::size_t colon = text.find(':');
  const std::string_view host = text.substr(0, colon);
  if (colon != std::string_view::npos && colon != text.rfind(':')) {
    if (is_ip(host)) return "more than one colon behind an IPv4 address";
    return ipv6_error(text) + "; with a port it is written [::1]:7000";
  }
  const std::string_view port = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  if (host.empty()) return "a port without an address: " + with_port(port);
  if (host == "*") return "* is no address: " + with_port(port);
  if (colon != std::string_view::npos) {
    if (std::string error = port_error(port); !error.empty()) return error;
  }
  return host_error(host, port);
}

// What is wrong with an escape, if there is one.
std::string escape_error(std::string_view name) {
  for (std::size_t at = name.find('%'); at != std::string_view::npos; at = name.find('%', at + 3)) {
    if (name.size() - at < 3 || !detail::is_hex_digit(name[at + 1]) || !detail::is_hex_digit(name[at + 2]))
      return "% has to be followed by two hexadecimal digits; a % itself is written %25";
  }
  return {};
}

std::string unix_error(std::string_view name, bool abstract, bool escaped, int err) {
  const std::string what = abstract ? "name" : "path";
  if (err == ENAMETOOLONG) return "the " + what + " is too long for a unix socket, which takes 107 bytes";
  if (err == EAFNOSUPPORT) return "this system has no abstract unix sockets";
  if (name == "//") return "the " + what + " is missing behind //";
  if (name.find('\0') != std::string_view::npos) {
    return abstract ? "a NUL byte is written %00" : "a path has no NUL byte";
  }
  if (!escaped) return "no path";
  const std::string error = escape_error(name);
  return error.empty() ? "a path has no NUL byte (%00)" : error;
}

std::string pipe_error(std::string_view name, bool escaped, int err) {
  if (err == ENAMETOOLONG)
    return "the name is too long for a pipe, which takes " + std::to_string(Address::longest_pipe_name) +
           " bytes";
  if (escaped) {
    if (std::string error = escape_error(name); !error.empty()) return error;
  }
  if (name.find('\0') != std::string_view::npos || (escaped && name.find("%00") != std::string_view::npos))
    return "the name of a pipe has no NUL byte";
  if (name.find_first_not_of("\\/") == std::string_view::npos) return "the name of the pipe is missing";
  return R"(a pipe is one of this host, and written pipe:NAME or \\.\pipe\NAME)";
}

std::string slash_error(std::string_view text) {
  if (is_ip(text.substr(0, text.find('/')))) {
    return "a network and not an address: leave out " + quoted(text.substr(text.find('/')));
  }
  return "a relative path is written with unix: in front, as unix:./socket";
}

std::string url_error(std::string_view text) {
  const std::size_t end = text.find("://");
  return quoted(text.substr(0, end + 3)) +
         " does not belong to an address: write 127.0.0.1:7000, or unix:/path";
}

}  // namespace

std::string Address::parse_error_text(OptionalText text) {
  int err = 0;
  const std::string_view whole = text.text();
  static_cast<void>(parse(whole, err));
  if (err == 0) return {};
  constexpr std::string_view path_prefix = "unix:";
  constexpr std::string_view abstract_prefix = "unix-abstract:";
  if (whole.starts_with(path_prefix)) return unix_error(whole.substr(path_prefix.size()), false, true, err);
  if (whole.starts_with(abstract_prefix))
    return unix_error(whole.substr(abstract_prefix.size()), true, true, err);
  constexpr std::string_view pipe_prefix = "pipe:";
  if (whole.starts_with(pipe_prefix)) return pipe_error(whole.substr(pipe_prefix.size()), true, err);
  if (whole.starts_with('\\')) return pipe_error(whole, false, err);
  if (whole.starts_with('/')) return unix_error(whole, false, false, err);
  if (whole.empty()) return "the address is missing";
  if (detail::has_blank(whole)) return "there is a space or a control character in it";
  if (whole[0] == '@') return "an abstract name is written with unix-abstract: in front instead of @";
  if (whole.find("://") != std::string_view::npos) return url_error(whole);
  if (whole.find('/') != std::string_view::npos) return slash_error(whole);
  if (whole.starts_with("ipv4:")) {
    const std::string_view rest = whole.substr(5);
    if (is_ip(rest)) return quoted(rest) + " is no IPv4 address";
    const std::string error = inet_error(rest);
    return error.empty() ? quoted(rest) + " is no IPv4 address" : error;
  }
  if (whole.starts_with("ipv6:")) {
    const std::string_view rest = whole.substr(5);
    if (is_ip(rest) && rest.find(':') != std::string_view::npos)
      return "the port could be a part of the address: with a port it is written [::1]:7000";
    return rest.find(':') == rest.rfind(':') ? quoted(rest) + " is no IPv6 address" : inet_error(rest);
  }
  return inet_error(whole);
}

}  // namespace tsock::inline v0
