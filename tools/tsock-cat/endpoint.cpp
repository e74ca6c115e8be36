#include "endpoint.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <limits>
#include <tsock/error.hpp>
#include <tsock/resolver.hpp>
#include <utility>

#include "duration.hpp"

namespace tsock_cat {
namespace {

using Kind = Endpoint::Kind;

// The port of a service (services(5)); -n is about name servers and does not matter.
std::optional<std::uint16_t> service_port(std::string_view name, bool datagram) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_socktype = datagram ? SOCK_DGRAM : SOCK_STREAM;
  addrinfo* found = nullptr;
  const bool is_name = std::any_of(name.begin(), name.end(),
                                   [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
  if (!is_name || ::getaddrinfo("127.0.0.1", std::string(name).c_str(), &hints, &found) != 0)
    return std::nullopt;
  int err = 0;
  const auto address = tsock::Address::from_sockaddr(found->ai_addr, found->ai_addrlen, err);
  ::freeaddrinfo(found);
  return address.port();
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  const auto number = parse_number(text, std::numeric_limits<std::uint16_t>::max());
  if (!number) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

bool fail(std::string& error, std::string_view text, std::string_view why) {
  error.assign(text).append(": ").append(why);
  return false;
}

// "host:port", "[v6]:port", ":port". The host of an IPv6 address goes without brackets afterwards.
bool parse_host_port(std::string_view rest, Endpoint& endpoint, std::string& error) {
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) {
    if (parse_port(rest))
      return fail(error, endpoint.text, "the host is missing, as in localhost:" + std::string(rest));
    return fail(error, endpoint.text, "the port is missing, as in host:80");
  }
  std::string_view host = rest.substr(0, colon);
  auto port = parse_port(rest.substr(colon + 1));
  if (!port) port = service_port(rest.substr(colon + 1), endpoint.is_datagram());
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

// "%XX" is a byte, as the library prints it.
bool set_unix(std::string_view prefix, std::string_view name, Endpoint& endpoint, std::string& error) {
  const std::string text = std::string(prefix) + std::string(name);
  int err = 0;
  endpoint.unix_address = tsock::Address::parse(text, err);
  return err == 0 || fail(error, endpoint.text, tsock::Address::parse_error_text(text));
}

bool parse_unix_path(std::string_view rest, Endpoint& endpoint, std::string& error) {
  return set_unix("unix://", rest, endpoint, error);
}

bool parse_abstract_name(std::string_view rest, Endpoint& endpoint, std::string& error) {
  return set_unix("unix-abstract://", rest, endpoint, error);
}

// "/dir?pipe=name". The socket is below the directory; where, the library knows.
bool parse_pipe(std::string_view rest, Endpoint& endpoint, std::string& error) {
  constexpr std::string_view separator = "?pipe=";
  const std::size_t at = rest.rfind(separator);
  if (at == std::string_view::npos || at + separator.size() == rest.size())
    return fail(error, endpoint.text, "the pipe is missing, as in npa:///run/samba/ncalrpc?pipe=srvsvc");
  if (at == 0) return fail(error, endpoint.text, "the directory is missing");
  if (!set_unix("unix://", rest.substr(0, at), endpoint, error)) return false;
  int err = 0;
  endpoint.path = endpoint.unix_address.unix_path(err);
  endpoint.pipe = rest.substr(at + separator.size());
  return true;
}

// Netcat's: the bytes as they are.
bool set_unix_path(std::string_view path, Endpoint& endpoint, std::string& error) {
  if (path.empty()) return fail(error, endpoint.text, "the path is missing");
  int err = 0;
  endpoint.unix_address = tsock::Address::unix_from_path(path, err);
  return err == 0 || fail(error, endpoint.text, tsock::error_text(err));
}

bool set_abstract_name(std::string_view name, Endpoint& endpoint, std::string& error) {
  if (name.empty()) return fail(error, endpoint.text, "the name is missing");
  int err = 0;
  endpoint.unix_address = tsock::Address::unix_abstract(name, err);
  return err == 0 || fail(error, endpoint.text, tsock::error_text(err));
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

struct Scheme {
  std::string_view prefix;
  Kind kind;
  bool (*parse)(std::string_view rest, Endpoint& endpoint, std::string& error);
  bool is_tls = false;
  bool is_npa = false;
};

// A prefix goes before any shorter one that it begins with. The short unix forms are what tsock prints.
constexpr std::array<Scheme, 26> schemes{{
    {"tls-listen://", Kind::tcp_listen, parse_host_port, true},
    {"tls://", Kind::tcp, parse_host_port, true},
    {"npa-listen://", Kind::unix_listen, parse_pipe, false, true},
    {"npa://", Kind::unix_stream, parse_pipe, false, true},
    {"tcp-listen://", Kind::tcp_listen, parse_host_port},
    {"tcp://", Kind::tcp, parse_host_port},
    {"udp-listen://", Kind::udp_listen, parse_host_port},
    {"udp://", Kind::udp, parse_host_port},
    {"unix-abstract-dgram-listen://", Kind::unix_datagram_listen, parse_abstract_name},
    {"unix-abstract-dgram-listen:", Kind::unix_datagram_listen, parse_abstract_name},
    {"unix-abstract-dgram://", Kind::unix_datagram, parse_abstract_name},
    {"unix-abstract-dgram:", Kind::unix_datagram, parse_abstract_name},
    {"unix-dgram-listen://", Kind::unix_datagram_listen, parse_unix_path},
    {"unix-dgram-listen:", Kind::unix_datagram_listen, parse_unix_path},
    {"unix-dgram://", Kind::unix_datagram, parse_unix_path},
    {"unix-dgram:", Kind::unix_datagram, parse_unix_path},
    {"unix-abstract-listen://", Kind::unix_listen, parse_abstract_name},
    {"unix-abstract-listen:", Kind::unix_listen, parse_abstract_name},
    {"unix-abstract://", Kind::unix_stream, parse_abstract_name},
    {"unix-abstract:", Kind::unix_stream, parse_abstract_name},
    {"unix-listen://", Kind::unix_listen, parse_unix_path},
    {"unix-listen:", Kind::unix_listen, parse_unix_path},
    {"unix://", Kind::unix_stream, parse_unix_path},
    {"unix:", Kind::unix_stream, parse_unix_path},
    {"fd:", Kind::fd, set_fd},
    {"file:", Kind::file, set_file},
}};

constexpr std::array<std::string_view, 1> later_schemes{"exec:"};

// Whether this is an ADDRESS, good or bad, and not a word of "host port".
bool has_scheme(std::string_view text) {
  const auto begins = [text](std::string_view prefix) { return text.starts_with(prefix); };
  const std::size_t word = std::min(text.find("://"), text.size());
  const bool url =
      word != text.size() && word != 0 &&
      std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(word), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' || c == '.';
      });
  return text == "-" || url ||
         std::any_of(schemes.begin(), schemes.end(), [&](const Scheme& s) { return begins(s.prefix); }) ||
         std::any_of(later_schemes.begin(), later_schemes.end(), begins);
}

// Takes the words of the command line from the left.
class WordReader {
 public:
  WordReader(const std::vector<std::string>& words, const NetcatStyle& style, std::string& error)
      : words_(words), style_(style), error_(error) {}

  std::vector<Endpoint> read() {
    bool netcat_words = false;
    while (next_ < words_.size()) {
      if (has_scheme(words_[next_])) {
        auto endpoint = parse_endpoint(words_[next_++], error_);
        if (!endpoint) return {};
        endpoints_.push_back(std::move(*endpoint));
      } else if (!std::exchange(netcat_words, true)) {
        // A path cannot be anything else.
        const bool path = style_.unix_socket || words_[next_].starts_with('/');
        if (!(path ? read_unix() : style_.listen ? read_listen() : read_connect())) return {};
      } else {
        fail(error_, words_[next_], "one word too many");
        return {};
      }
    }
    if (!netcat_words && !read_options_alone()) return {};
    return std::move(endpoints_);
  }

 private:
  // "-l -p port"; -l beside an ADDRESS that listens says nothing new.
  bool read_options_alone() {
    if (style_.unix_socket) {
      error_ = "-U needs a path";
      return false;
    }
    const bool listens = std::any_of(endpoints_.begin(), endpoints_.end(),
                                     [](const Endpoint& endpoint) { return endpoint.is_listener(); });
    return !style_.listen || listens || add_listener(style_.source, {});
  }

  // "-U path"; a name that begins with @ is abstract, as with Debian's netcat.
  bool read_unix() {
    Endpoint endpoint;
    if (style_.datagram) {
      endpoint.kind = style_.listen ? Kind::unix_datagram_listen : Kind::unix_datagram;
    } else {
      endpoint.kind = style_.listen ? Kind::unix_listen : Kind::unix_stream;
    }
    endpoint.text = words_[next_++];
    const std::string_view name = endpoint.text;
    if (!(name.starts_with('@') ? set_abstract_name(name.substr(1), endpoint, error_)
                                : set_unix_path(name, endpoint, error_))) {
      return false;
    }
    endpoints_.push_back(std::move(endpoint));
    return true;
  }

  // "-l port", "-l host port", "-l host -p port".
  bool read_listen() {
    std::string host = style_.source;
    std::optional<std::string> port;
    if (!parse_port(words_[next_])) host = words_[next_++];
    if (next_ < words_.size() && parse_port(words_[next_])) port = words_[next_++];
    return add_listener(host, port);
  }

  bool add_listener(const std::string& host, const std::optional<std::string>& port) {
    Endpoint endpoint;
    endpoint.kind = style_.datagram ? Kind::udp_listen : Kind::tcp_listen;
    endpoint.host = host;
    if (port && style_.port) {
      error_ = "two ports to listen on: " + *port + " and -p " + std::to_string(*style_.port);
      return false;
    }
    const auto number = port ? parse_port(*port) : style_.port;
    if (!number) {
      error_ = "-l needs a port";
      return false;
    }
    endpoint.port = *number;
    endpoint.text = (style_.datagram ? "udp-listen://" : "tcp-listen://") + bracketed(host) + ":" +
                    std::to_string(endpoint.port);
    endpoints_.push_back(std::move(endpoint));
    return true;
  }

  // "host port", and "host:port", which is what --announce prints.
  bool read_connect() {
    const std::string& host = words_[next_++];
    Endpoint endpoint;
    endpoint.kind = style_.datagram ? Kind::udp : Kind::tcp;
    if (next_ < words_.size() && !has_scheme(words_[next_])) {
      const std::string& port = words_[next_++];
      endpoint.text = bracketed(host) + ":" + port;
    } else {
      endpoint.text = host;
    }
    if (!parse_host_port(endpoint.text, endpoint, error_)) return false;
    endpoints_.push_back(std::move(endpoint));
    return true;
  }

  static std::string bracketed(const std::string& host) {
    return host.find(':') != std::string::npos && !host.starts_with('[') ? "[" + host + "]" : host;
  }

  const std::vector<std::string>& words_;
  const NetcatStyle& style_;
  std::string& error_;
  std::size_t next_ = 0;
  std::vector<Endpoint> endpoints_;
};

}  // namespace

std::optional<Endpoint> parse_endpoint(std::string_view text, std::string& error) {
  Endpoint endpoint;
  endpoint.text = std::string(text);
  if (text == "-") return endpoint;
  for (const std::string_view prefix : later_schemes) {
    if (!text.starts_with(prefix)) continue;
    fail(error, text, std::string(prefix) + " is not in this version of tsock-cat");
    return std::nullopt;
  }
  for (const Scheme& scheme : schemes) {
    if (!text.starts_with(scheme.prefix)) continue;
    endpoint.kind = scheme.kind;
    endpoint.is_tls = scheme.is_tls;
    endpoint.is_npa = scheme.is_npa;
    if (!scheme.parse(text.substr(scheme.prefix.size()), endpoint, error)) return std::nullopt;
    return endpoint;
  }
  fail(error, text, "no such kind of address");
  return std::nullopt;
}

std::vector<Endpoint> parse_endpoints(const std::vector<std::string>& words, const NetcatStyle& style,
                                      std::string& error) {
  std::vector<Endpoint> endpoints = WordReader(words, style, error).read();
  if (!error.empty()) return {};
  if (endpoints.empty()) {
    error = "no ADDRESS given";
  } else if (endpoints.size() > 2) {
    error = "more than two ADDRESSes";
  } else if (std::none_of(endpoints.begin(), endpoints.end(),
                          [](const Endpoint& e) { return e.is_network() || e.kind == Kind::fd; })) {
    error = "one ADDRESS has to be a socket";
  } else {
    if (endpoints.size() == 1) endpoints.insert(endpoints.begin(), Endpoint{});
    if (endpoints.back().kind == Kind::stdio) std::swap(endpoints.front(), endpoints.back());
    return endpoints;
  }
  return {};
}

}  // namespace tsock_cat
