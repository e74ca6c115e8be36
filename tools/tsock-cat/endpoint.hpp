#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/address.hpp>
#include <tsock/stdio_stream.hpp>
#include <vector>

namespace tsock_cat {

/// One ADDRESS of the command line.
struct Endpoint {
  enum class Kind : std::uint8_t {
    tcp,
    tcp_listen,
    unix_stream,
    unix_listen,
    named_pipe,
    named_pipe_listen,
    udp,
    udp_listen,
    unix_datagram,
    unix_datagram_listen,
    stdio,
    fd,
    file,
    echo,
    discard,
    zero,
    exec
  };

  /// An authentication over the stream, which may have TLS on it.
  enum class Layer : std::uint8_t { none, gssapi, sasl };

  Kind kind = Kind::stdio;
  bool is_tls = false;  ///< tcp: with TLS on it
  bool is_npa = false;  ///< unix stream: a named pipe of Samba
  Layer layer = Layer::none;
  std::string text = "-";          ///< as the user wrote it, for messages
  std::string host;                ///< tcp, udp: name or address; empty is the wildcard
  std::uint16_t port = 0;          ///< tcp, udp
  tsock::Address unix_address;     ///< of the unix kinds, and of a named pipe
  int fd = -1;                     ///< fd
  std::string path;                ///< file; of a pipe the directory
  std::string pipe;                ///< of NPA
  std::vector<std::string> words;  ///< exec: the program and its arguments
  tsock::FileMode file_mode = tsock::FileMode::read;

  [[nodiscard]] bool is_listener() const noexcept {
    return kind == Kind::tcp_listen || kind == Kind::unix_listen || kind == Kind::named_pipe_listen ||
           kind == Kind::udp_listen || kind == Kind::unix_datagram_listen;
  }
  [[nodiscard]] bool is_unix() const noexcept {
    return kind == Kind::unix_stream || kind == Kind::unix_listen || kind == Kind::unix_datagram ||
           kind == Kind::unix_datagram_listen;
  }
  /// A named pipe of Windows.
  [[nodiscard]] bool is_named_pipe() const noexcept {
    return kind == Kind::named_pipe || kind == Kind::named_pipe_listen;
  }
  /// One that has an address of its own, and no host and port.
  [[nodiscard]] bool is_local() const noexcept { return is_unix() || is_named_pipe(); }
  [[nodiscard]] bool is_udp() const noexcept { return kind == Kind::udp || kind == Kind::udp_listen; }
  [[nodiscard]] bool is_datagram() const noexcept {
    return is_udp() || kind == Kind::unix_datagram || kind == Kind::unix_datagram_listen;
  }
  /// Connected to or listened on, as opposed to standard input and output, files and descriptors.
  [[nodiscard]] bool is_network() const noexcept { return kind <= Kind::unix_datagram_listen; }
};

/// How the words of a netcat command line are to be read.
struct NetcatStyle {
  bool listen = false;                ///< -l
  bool unix_socket = false;           ///< -U
  bool datagram = false;              ///< -u
  std::string source;                 ///< -s
  std::optional<std::uint16_t> port;  ///< -p
};

/// Reads one ADDRESS. On failure no value, and `error` says what is wrong in a sentence for the user.
[[nodiscard]] std::optional<Endpoint> parse_endpoint(std::string_view text, std::string& error);

/// Whether this can only be meant as an ADDRESS, good or bad, and not as a word of "host port".
[[nodiscard]] bool is_endpoint_text(std::string_view text);

/// A number that is a port.
[[nodiscard]] std::optional<std::uint16_t> parse_port(std::string_view text);

/// The port of a service (services(5)); -n is about name servers and does not matter.
[[nodiscard]] std::optional<std::uint16_t> parse_service(std::string_view name, bool datagram);

/// "host:port", "[v6]:port", ":port", where the port may be the name of a service. The host of an IPv6
/// address goes without brackets afterwards. The endpoint has its kind and text already. On failure false,
/// with `error`.
[[nodiscard]] bool parse_host_port(std::string_view rest, Endpoint& endpoint, std::string& error);

/// Reads all words of the command line: ADDRESSes, "host port", and what -l, -u, -U, -s and -p make of them.
/// Two endpoints: the local side, which is standard input and output unless the words name two others, and
/// the remote side. On failure empty, with `error`.
[[nodiscard]] std::vector<Endpoint> parse_endpoints(const std::vector<std::string>& words,
                                                    const NetcatStyle& style, std::string& error);

}  // namespace tsock_cat
