#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tsock/address.hpp>
#include <tsock/datagram_options.hpp>
#include <tsock/framing.hpp>
#include <tsock/listener_options.hpp>
#include <vector>

#include "duration.hpp"
#include "endpoint.hpp"
#include "gssapi_options.hpp"
#include "npa_options.hpp"
#include "port_list.hpp"
#include "proxy_options.hpp"
#include "sasl_options.hpp"
#include "tls_options.hpp"

namespace tsock_cat {

/// How the transcript of the bytes is written.
enum class DumpForm : std::uint8_t { none, hex, text, pcapng };

/// Which way bytes may go. With two ADDRESSes the first takes the place of standard input and output.
enum class Traffic : std::uint8_t { both, send_only, receive_only };

/// A framing by the name that --pdu has for it.
struct NamedFraming {
  std::string name;
  tsock::Framing framing;
  bool is_text = false;  ///< line and crlf: bodies are printed as text, not in hexadecimal
};

/// A group to receive from.
struct MulticastGroup {
  tsock::Address address;
  unsigned interface_index = 0;  ///< 0: the system chooses
  std::string text;              ///< as the user wrote it, for messages
};

/// The command line, checked: what is in here can be followed.
struct Options {
  /// Two: local (standard input and output if only one is given), remote. None for a port scan.
  std::vector<Endpoint> endpoints;

  // addresses
  std::vector<std::string> words;  ///< which the endpoints are made of
  NetcatStyle netcat;
  bool ipv4_only = false;
  bool ipv6_only = false;
  bool numeric = false;
  std::string source;
  std::optional<std::uint16_t> source_port;

  // port scan: instead of endpoints
  bool scan = false;
  std::size_t scan_parallel = 64;
  std::vector<ScanTarget> scan_targets;

  // server
  bool keep_listening = false;
  bool once = false;
  std::optional<std::size_t> max_connections;
  bool announce = false;
  tsock::ListenerOptions listener;

  // datagrams
  tsock::DatagramOptions datagram;
  bool connected = false;  ///< a listening socket connects to its first sender
  std::vector<MulticastGroup> groups;
  tsock::Address multicast_source;  ///< with `groups`: the only sender, or empty for any
  std::size_t max_datagram =
      65507;  ///< most bytes of a stream that are sent as one; UDP over IPv4 takes no more

  // the end of a direction
  bool no_shutdown = false;
  bool exit_on_peer_eof = false;
  Traffic traffic = Traffic::both;
  bool crlf = false;

  // time
  std::optional<Duration> connect_timeout;
  std::optional<Duration> idle_timeout;
  std::optional<Duration> quit_after;
  std::optional<Duration> max_time;
  std::optional<Duration> linger;
  Duration handshake_timeout = std::chrono::seconds(10);
  std::size_t retries = 0;
  Duration retry_delay = std::chrono::seconds(1);

  // how much
  std::optional<std::uint64_t> most_messages;  ///< received
  std::optional<std::uint64_t> read_exact;     ///< bytes
  std::optional<std::uint64_t> rate;           ///< bytes a second, each way

  // measure
  std::optional<Duration> bench;
  std::optional<std::size_t> pings;
  std::string ping_text;

  // what is written beside the payload
  DumpForm dump_form = DumpForm::none;
  std::string dump_file;
  bool timestamps = false;
  bool stats = false;
  std::string stats_text;
  std::optional<Duration> stats_interval;
  bool json = false;
  int verbosity = 0;
  bool trace = false;

  std::string pdu_name;
  std::size_t max_pdu = std::size_t{1} << 20;
  std::optional<NamedFraming> pdu;  ///< made of both

  // instead of copying: look into a daemon. `words` are a command; none: a screen on a terminal, else a dump
  std::string inspect_text;
  std::optional<Endpoint> inspect;

  ProxyOptions proxy;
  TlsOptions tls;
  NpaOptions npa;
  GssapiOptions gssapi;
  SaslOptions sasl;
};

/// What became of a command line.
struct ParsedCommandLine {
  Options options;
  bool run = false;     ///< otherwise print `text` and end
  bool failed = false;  ///< `text` is an error, else it is the help or the version
  std::string text;
};

[[nodiscard]] ParsedCommandLine parse_command_line(int argc, const char* const* argv);

}  // namespace tsock_cat
