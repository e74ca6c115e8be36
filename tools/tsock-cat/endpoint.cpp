#include "endpoint.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <tsock/error.hpp>
#include <tsock/resolver.hpp>
#include <utility>

#include "duration.hpp"
#include "foreign_address.hpp"
#include "program_words.hpp"
#include "system.hpp"

namespace tsock_cat {
namespace {

using Kind = Endpoint::Kind;

bool fail(std::string& error, std::string_view text, std::string_view why) {
  error.assign(text).append(": ").append(why);
  return false;
}

// "%XX" is a byte, as the library prints it.
bool set_address(std::string_view prefix, std::string_view name, Endpoint& endpoint, std::string& error) {
  const std::string text = std::string(prefix) + std::string(name);
  int err = 0;
  endpoint.unix_address = tsock::Address::parse(text, err);
  return err == 0 || fail(error, endpoint.text, tsock::Address::parse_error_text(text));
}

bool parse_unix_path(std::string_view rest, Endpoint& endpoint, std::string& error) {
  return set_address("unix://", rest, endpoint, error);
}

bool parse_abstract_name(std::string_view rest, Endpoint& endpoint, std::string& error) {
  return set_address("unix-abstract://", rest, endpoint, error);
}

// Slashes in front belong to a full name, or are the library's to take.
bool parse_named_pipe(std::string_view rest, Endpoint& endpoint, std::string& error) {
  return set_address("pipe:", rest, endpoint, error);
}

// "/dir?pipe=name". The socket is below the directory; where, the library knows.
bool parse_pipe(std::string_view rest, Endpoint& endpoint, std::string& error) {
  constexpr std::string_view separator = "?pipe=";
  const std::size_t at = rest.rfind(separator);
  if (at == std::string_view::npos || at + separator.size() == rest.size())
    return fail(error, endpoint.text, "the pipe is missing, as in npa:///run/samba/ncalrpc?pipe=srvsvc");
  if (at == 0) return fail(error, endpoint.text, "the directory is missing");
  if (!set_address("unix://", rest.substr(0, at), endpoint, error)) return false;
  int err = 0;
  endpoint.path = endpoint.unix_address.unix_path(err);
  endpoint.pipe = rest.substr(at + separator.size());
  return true;
}

bool set_fd(std::string_view rest, Endpoint& endpoint, std::string& error) {
  const auto number = parse_number(rest, std::numeric_limits<int>::max());
  if (!number) return fail(error, endpoint.text, "not the number of a descriptor");
  endpoint.fd = static_cast<int>(*number);
  return true;
}

bool set_file(std::string_view rest, Endpoint& endpoint, std::string& error) {
  constexpr std::array<std::pair<std::string_view, tsock::FileMode>, 4> modes{
      {{"?mode=r", tsock::FileMode::read},
       {"?mode=w", tsock::FileMode::write},
       {"?mode=a", tsock::FileMode::append},
       {"?mode=rw", tsock::FileMode::read_write}}};
  for (const auto& [suffix, mode] : modes) {
    if (!rest.ends_with(suffix)) continue;
    endpoint.file_mode = mode;
    rest.remove_suffix(suffix.size());
    break;
  }
  endpoint.path = rest;
  return !rest.empty() || fail(error, endpoint.text, "the path is missing");
}

bool set_program(std::string_view rest, Endpoint& endpoint, std::string& error) {
  std::string why;
  auto words = split_program(rest, why);
  if (!words) return fail(error, endpoint.text, why);
  endpoint.words = std::move(*words);
  return true;
}

// Nothing is to be said about it.
bool set_nothing(std::string_view rest, Endpoint& endpoint, std::string& error) {
  return rest.empty() || fail(error, endpoint.text, "nothing goes behind the colon");
}

// One kind of ADDRESS: "name:rest", and "name://rest" where that means the same.
struct KindOfAddress {
  std::string_view name;
  Kind kind;
  bool (*parse)(std::string_view rest, Endpoint& endpoint, std::string& error);
  bool may_have_slashes = true;
  bool is_tls = false;
  bool is_npa = false;
};

constexpr std::array kinds{
    KindOfAddress{"tcp", Kind::tcp, parse_host_port},
    KindOfAddress{"tcp-listen", Kind::tcp_listen, parse_host_port},
    KindOfAddress{"tls", Kind::tcp, parse_host_port, true, true},
    KindOfAddress{"tls-listen", Kind::tcp_listen, parse_host_port, true, true},
    KindOfAddress{"udp", Kind::udp, parse_host_port},
    KindOfAddress{"udp-listen", Kind::udp_listen, parse_host_port},
    KindOfAddress{"unix", Kind::unix_stream, parse_unix_path},
    KindOfAddress{"unix-listen", Kind::unix_listen, parse_unix_path},
    KindOfAddress{"unix-abstract", Kind::unix_stream, parse_abstract_name},
    KindOfAddress{"unix-abstract-listen", Kind::unix_listen, parse_abstract_name},
    KindOfAddress{"unix-dgram", Kind::unix_datagram, parse_unix_path},
    KindOfAddress{"unix-dgram-listen", Kind::unix_datagram_listen, parse_unix_path},
    KindOfAddress{"unix-abstract-dgram", Kind::unix_datagram, parse_abstract_name},
    KindOfAddress{"unix-abstract-dgram-listen", Kind::unix_datagram_listen, parse_abstract_name},
    KindOfAddress{"pipe", Kind::named_pipe, parse_named_pipe, false},
    KindOfAddress{"pipe-listen", Kind::named_pipe_listen, parse_named_pipe, false},
    KindOfAddress{"npa", Kind::unix_stream, parse_pipe, true, false, true},
    KindOfAddress{"npa-listen", Kind::unix_listen, parse_pipe, true, false, true},
    KindOfAddress{"fd", Kind::fd, set_fd, false},
    KindOfAddress{"file", Kind::file, set_file, false},
    KindOfAddress{"echo", Kind::echo, set_nothing, false},
    KindOfAddress{"discard", Kind::discard, set_nothing, false},
    KindOfAddress{"zero", Kind::zero, set_nothing, false},
    KindOfAddress{"exec", Kind::exec, set_program, false},
};

// The kind that stands before the first colon, or null.
const KindOfAddress* kind_of(std::string_view text) {
  const std::size_t colon = text.find(':');
  const auto* const found = std::find_if(kinds.begin(), kinds.end(), [&](const KindOfAddress& each) {
    return colon != std::string_view::npos && each.name == text.substr(0, colon);
  });
  return found != kinds.end() ? found : nullptr;
}

// "word://": what else than an ADDRESS, good or bad, could it be?
bool is_url(std::string_view text) {
  const std::size_t size = text.find("://");
  if (size == std::string_view::npos || size == 0) return false;
  const std::string_view word = text.substr(0, size);
  return std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' || c == '.';
  });
}

}  // namespace

bool is_endpoint_text(std::string_view text) {
  return text == "-" || is_url(text) || kind_of(text) != nullptr || is_foreign_address(text);
}

bool parse_host_port(std::string_view rest, Endpoint& endpoint, std::string& error) {
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) {
    if (parse_port(rest))
      return fail(error, endpoint.text, "the host is missing, as in localhost:" + std::string(rest));
    return fail(error, endpoint.text, "the port is missing, as in host:80");
  }
  std::string_view host = rest.substr(0, colon);
  auto port = parse_port(rest.substr(colon + 1));
  if (!port) port = parse_service(rest.substr(colon + 1), endpoint.is_datagram());
  if (!port) {
    return fail(error, endpoint.text,
                "the port is neither a number from 0 to 65535 nor the name of a service");
  }
  if (host == "*") host = {};  // as ss(8) prints the wildcard
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) return fail(error, endpoint.text, "no IPv6 address in []");
  } else if (host.find_first_of(":[]") != std::string_view::npos) {
    return fail(error, endpoint.text, "write an IPv6 address in brackets: [::1]:80");
  }
  endpoint.host = host;
  endpoint.port = *port;
  // Numbers that are no address, and the like. An interface may still come.
  if (!host.empty() && host.find(':') == std::string_view::npos && !tsock::is_host_text(host))
    return fail(error, endpoint.text, tsock::Address::parse_error_text(host));
  if (endpoint.is_listener()) return true;
  if (host.empty()) return fail(error, endpoint.text, "the host is missing");
  if (*port == 0) return fail(error, endpoint.text, "cannot connect to port 0");
  return true;
}

std::optional<Endpoint> parse_endpoint(std::string_view text, std::string& error) {
  Endpoint endpoint;
  endpoint.text = std::string(text);
  if (text == "-") return endpoint;
  const KindOfAddress* const kind = kind_of(text);
  if (kind == nullptr) {
    error =
        is_foreign_address(text) ? foreign_address_advice(text) : endpoint.text + ": no such kind of address";
    return std::nullopt;
  }
  std::string_view rest = text.substr(kind->name.size() + 1);
  if (kind->may_have_slashes && rest.starts_with("//")) rest.remove_prefix(2);
  endpoint.kind = kind->kind;
  endpoint.is_tls = kind->is_tls;
  endpoint.is_npa = kind->is_npa;
  if (!kind->parse(rest, endpoint, error)) return std::nullopt;
  return endpoint;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  const auto number = parse_number(text, std::numeric_limits<std::uint16_t>::max());
  if (!number) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

std::optional<std::uint16_t> parse_service(std::string_view name, bool datagram) {
  const bool is_name = std::any_of(name.begin(), name.end(),
                                   [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
  if (!is_name) return std::nullopt;
  return service_port(name, datagram);
}

}  // namespace tsock_cat
