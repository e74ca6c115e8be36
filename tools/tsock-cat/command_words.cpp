#include <algorithm>
#include <tsock/error.hpp>
#include <utility>

#include "endpoint.hpp"

namespace tsock_cat {
namespace {

using Kind = Endpoint::Kind;

// Has no side of its own: the other one is the remote side.
bool is_nobody(const Endpoint& endpoint) {
  return endpoint.kind == Kind::stdio || endpoint.kind == Kind::echo || endpoint.kind == Kind::discard ||
         endpoint.kind == Kind::zero;
}

// Takes the words of the command line from the left.
class WordReader {
 public:
  WordReader(const std::vector<std::string>& words, const NetcatStyle& style, std::string& error)
      : words_(words), style_(style), error_(error) {}

  std::vector<Endpoint> read() {
    bool netcat_words = false;
    while (next_ < words_.size()) {
      if (is_endpoint_text(words_[next_])) {
        auto endpoint = parse_endpoint(words_[next_++], error_);
        if (!endpoint) return {};
        endpoints_.push_back(std::move(*endpoint));
      } else if (!std::exchange(netcat_words, true)) {
        // A path cannot be anything else.
        const bool path = style_.unix_socket || words_[next_].starts_with('/');
        if (!(path ? read_unix() : style_.listen ? read_listen() : read_connect())) return {};
      } else {
        error_ = words_[next_] + ": one word too many";
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
    if (!set_unix_name(name, endpoint)) return false;
    endpoints_.push_back(std::move(endpoint));
    return true;
  }

  // The bytes as they are.
  bool set_unix_name(std::string_view name, Endpoint& endpoint) {
    const bool is_abstract = name.starts_with('@');
    if (is_abstract) name.remove_prefix(1);
    if (name.empty()) {
      error_ = endpoint.text + (is_abstract ? ": the name is missing" : ": the path is missing");
      return false;
    }
    int err = 0;
    endpoint.unix_address =
        is_abstract ? tsock::Address::unix_abstract(name, err) : tsock::Address::unix_from_path(name, err);
    if (err != 0) error_ = endpoint.text + ": " + tsock::error_text(err);
    return err == 0;
  }

  // "-l port", "-l host port", "-l host -p port", "-l host:port"; a port may be the name of a service there.
  bool read_listen() {
    std::string host = style_.source;
    std::optional<std::string> port;
    if (!parse_port(words_[next_])) host = words_[next_++];
    if (next_ < words_.size() && parse_port(words_[next_])) port = words_[next_++];
    if (!host.empty() && host != style_.source && !port && !style_.port) return add_listener_at(host);
    return add_listener(host, port);
  }

  bool add_listener_at(const std::string& word) {
    Endpoint endpoint;
    endpoint.kind = style_.datagram ? Kind::udp_listen : Kind::tcp_listen;
    endpoint.text = word.find(':') == std::string::npos ? ":" + word : word;
    if (!parse_host_port(endpoint.text, endpoint, error_)) {
      error_ = word.find(':') == std::string::npos ? "-l needs a port, and " + word + " is none" : error_;
      return false;
    }
    endpoint.text = (style_.datagram ? "udp-listen://" : "tcp-listen://") + endpoint.text;
    endpoints_.push_back(std::move(endpoint));
    return true;
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
    if (next_ < words_.size() && !is_endpoint_text(words_[next_])) {
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
    if (is_nobody(endpoints.back())) std::swap(endpoints.front(), endpoints.back());
    return endpoints;
  }
  return {};
}

}  // namespace tsock_cat
