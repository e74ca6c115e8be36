#include "options.hpp"

#include <net/if.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <memory>
#include <string_view>
#include <tsock/version.hpp>
#include <utility>

#include "duration_option.hpp"
#include "security_options.hpp"

namespace tsock_cat {
namespace {

constexpr const char* description =
    "Copies bytes and datagrams between a network endpoint and standard input and output, or between two\n"
    "endpoints.\n"
    "\n"
    "ADDRESS is one of\n"
    "  tcp://HOST:PORT   tcp-listen://[HOST]:PORT            host port      as with netcat\n"
    "  tls://HOST:PORT   tls-listen://[HOST]:PORT            TLS over TCP\n"
    "  unix:///PATH      unix-listen:///PATH                 host:port      as --announce prints it\n"
    "  unix-abstract://NAME   unix-abstract-listen://NAME\n"
    "  npa:///DIR?pipe=NAME   npa-listen:///DIR?pipe=NAME    a named pipe of Samba\n"
    "  udp://HOST:PORT   udp-listen://[HOST]:PORT            host port      with -u\n"
    "  unix-dgram:///PATH     unix-dgram-listen:///PATH\n"
    "  unix-abstract-dgram://NAME   unix-abstract-dgram-listen://NAME\n"
    "  fd:N              file:PATH[?mode=r|w|a|rw]           -              standard input and output";

constexpr const char* footer =
    "Times are seconds, or have a unit: 250ms, 1.5s, 2m, 1h.\n"
    "Exit status: 0 ended as asked, 1 usage, 2 resolve or connect, 3 bind or listen, 4 timeout, 5 reset,\n"
    "6 TLS and other security, 7 local input or output, 130 interrupted.";

constexpr std::size_t default_max_pdu = std::size_t{1} << 20;

// What parsing collects before it is checked as a whole.
struct Collected {
  Options options;
  NetcatStyle netcat;
  std::vector<std::string> words;
  std::string unlink = "probe";
  std::string mode;
  std::string group;
  std::string stats;
  std::string pdu;
  std::size_t max_pdu = default_max_pdu;
  std::vector<std::string> groups;
  std::string multicast_source;
  std::string multicast_interface;
  bool multicast_no_loop = false;
  std::vector<std::string> later;
  bool hex = false;
  bool text = false;
  bool send_only = false;
  bool receive_only = false;
  bool netcat_shutdown = false;  // what we do anyway
};

void add_address_options(CLI::App& app, Collected& c) {
  app.add_flag("-l,--listen", c.netcat.listen, "Listen: [host] port, or path with -U");
  app.add_flag("-u,--udp", c.netcat.datagram, "The words are for UDP, or with -U for unix datagrams");
  app.add_flag("-U,--unix", c.netcat.unix_socket, "The word is the path of a unix socket; @name is abstract");
  auto* const ipv4 = app.add_flag("-4,--ipv4", c.options.ipv4_only, "IPv4 addresses only");
  app.add_flag("-6,--ipv6", c.options.ipv6_only, "IPv6 addresses only")->excludes(ipv4);
  app.add_flag("-n,--numeric", c.options.numeric, "Never ask a name server");
  app.add_option("-s,--source", c.options.source, "Connect from, or with -l listen on, this address")
      ->type_name("ADDR");
  app.add_option("-p,--source-port", c.options.source_port, "Connect from, or with -l listen on, this port")
      ->type_name("PORT");
}

void add_server_options(CLI::App& app, Collected& c) {
  auto& listener = c.options.listener;
  app.add_flag("-k,--keep-open", c.options.keep_listening, "Go on listening; serve many clients at once");
  app.add_option("--max-conns", c.options.max_connections, "With -k: at most N clients; others wait")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 20));
  app.add_flag("--announce", c.options.announce, "Print 'listening ADDRESS' with the port really bound");
  app.add_option("--backlog", listener.backlog, "Connections that wait to be accepted")
      ->type_name("N")
      ->check(CLI::Range(1, std::numeric_limits<int>::max()));
  app.add_flag("--reuseport", listener.reuse_port, "Share the port with other listeners (SO_REUSEPORT)");
  app.add_option("--unlink", c.unlink, "When the socket's path exists: fail, probe (replace if dead), force")
      ->check(CLI::IsMember({"fail", "probe", "force"}))
      ->type_name("HOW");
  app.add_option("--mode", c.mode, "Permission bits of the unix socket, octal")->type_name("MODE");
  app.add_option("--group", c.group, "Group of the unix socket, name or number")->type_name("GROUP");
}

void add_datagram_options(CLI::App& app, Collected& c) {
  auto& datagram = c.options.datagram;
  app.add_flag("-b,--broadcast", datagram.broadcast, "Allow sending to broadcast addresses; IPv4");
  app.add_option("--mcast", c.groups, "Receive what is sent to the group; may be given again")
      ->allow_extra_args(false)
      ->type_name("GROUP[%IF]");
  app.add_option("--mcast-source", c.multicast_source, "With --mcast: from this sender only")
      ->type_name("ADDR");
  app.add_option("--mcast-if", c.multicast_interface, "Interface that groups are sent to by")
      ->type_name("IF");
  app.add_option("--mcast-ttl", datagram.multicast_ttl,
                 "Routers that what is sent to groups may pass, plus 1")
      ->type_name("N")
      ->check(CLI::Range(0, 255));
  app.add_flag("--mcast-no-loop", c.multicast_no_loop, "This host does not hear what it sends to groups");
  app.add_flag("--icmp-errors", datagram.icmp_errors,
               "Report undelivered datagrams also where many peers share a socket");
  app.add_option("--max-datagram", c.options.max_datagram,
                 "Send at most N bytes of the input in one datagram (65507)")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 20));
}

void add_flow_options(CLI::App& app, Collected& c) {
  app.add_flag("-N", c.netcat_shutdown,
               "As with netcat: end our side after standard input. This is the default");
  app.add_flag("--no-shutdown", c.options.no_shutdown, "Leave our side open after standard input ended");
  app.add_flag("--exit-on-peer-eof", c.options.exit_on_peer_eof, "End when the peer ends its side");
  auto* const send = app.add_flag("--send-only", c.send_only, "Send only; drop what comes");
  app.add_flag("--recv-only", c.receive_only, "Receive only; standard input is not read")->excludes(send);
  app.add_flag("-C,--crlf", c.options.crlf, "Send CRLF for each LF of the input");
}

void add_time_options(CLI::App& app, Collected& c) {
  add_duration(app, "-w,--connect-timeout", c.options.connect_timeout, "Limit on each attempt to connect");
  add_duration(app, "-i,--idle-timeout", c.options.idle_timeout, "End when no byte moved for that long");
  add_duration(app, "-q,--quit-after", c.options.quit_after, "End that long after standard input ended");
  add_duration(app, "--max-time", c.options.max_time, "End that long after the start");
  add_duration(app, "--linger", c.options.linger,
               "At the end wait that long for a peer that has not taken everything (30s; 1s after a signal)");
  app.add_option("--retry", c.options.retries, "Try N more times to connect")->type_name("N");
  add_duration(app, "--retry-delay", c.options.retry_delay, "Wait before each of them (1s)");
  add_duration(app, "--handshake-timeout,--tls-timeout", c.options.handshake_timeout,
               "Limit on each handshake (10s)");
}

void add_output_options(CLI::App& app, Collected& c) {
  auto* const hex = app.add_flag("--hex", c.hex, "Transcript of all bytes in hexadecimal, on standard error");
  app.add_flag("--text", c.text, "Transcript as text, unprintable bytes escaped")->excludes(hex);
  app.add_option("--dump", c.options.dump_file, "Write the transcript to FILE")->type_name("FILE");
  app.add_flag("--timestamps", c.options.timestamps, "Time of day before each line of transcript and report");
  app.add_flag("--stats{end}", c.stats, "Bytes and rates at the end; --stats=1s also every second");
  app.add_flag("--json", c.options.json, "Report as JSON, one object a line");
  app.add_flag("-v,--verbose", c.options.verbosity, "Report connections and their ends; -vv more");
  app.add_flag("--trace", c.options.trace, "Report every step of every request");
  app.add_option("--pdu", c.pdu,
                 "Lines of input are sent as messages, messages printed as lines.\n"
                 "FRAMING is u8, u16be, u16le, u32be, u32le, line or crlf; a datagram is a message by itself")
      ->check(CLI::IsMember({"u8", "u16be", "u16le", "u32be", "u32le", "line", "crlf"}))
      ->type_name("FRAMING");
  app.add_option("--max-pdu", c.max_pdu, "Longest body of a PDU in bytes (1 MiB)")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 30));
}

// Known elsewhere and wanted, but not there yet: say so instead of "unknown option".
void add_later_options(CLI::App& app, Collected& c) {
  app.add_flag_callback(
      "-z,--scan", [&c] { c.later.emplace_back("-z"); }, "");
}

tsock::Framing framing_named(const std::string& name, std::size_t max_body) {
  namespace framing = tsock::framing;
  if (name == "u8") return framing::u8{.max_body = std::min(max_body, std::size_t{0xff})};
  if (name == "u16be") return framing::u16be{.max_body = std::min(max_body, std::size_t{0xffff})};
  if (name == "u16le") return framing::u16le{.max_body = std::min(max_body, std::size_t{0xffff})};
  if (name == "u32be") return framing::u32be{.max_body = max_body};
  if (name == "u32le") return framing::u32le{.max_body = max_body};
  if (name == "crlf") return framing::delimiter{.end = "\r\n", .max_body = max_body};
  return framing::line{.max_body = max_body};
}

bool apply_listener_options(Collected& c, std::string& error) {
  auto& listener = c.options.listener;
  if (c.unlink == "fail") listener.stale_socket = tsock::StaleSocket::fail;
  if (c.unlink == "force") listener.stale_socket = tsock::StaleSocket::replace;
  if (!c.group.empty()) listener.group = c.group;
  if (c.mode.empty()) return true;
  if (c.mode.size() > 4 || c.mode.find_first_not_of("01234567") != std::string::npos) {
    error = "--mode: " + c.mode + " is not octal, such as 0660";
    return false;
  }
  listener.mode = static_cast<unsigned>(std::stoul(c.mode, nullptr, 8));
  return true;
}

bool apply_output_options(Collected& c, std::string& error) {
  Options& options = c.options;
  options.traffic = c.send_only ? Traffic::send_only : c.receive_only ? Traffic::receive_only : Traffic::both;
  if (c.text) options.dump_form = DumpForm::text;
  if (c.hex || (!c.text && !options.dump_file.empty())) options.dump_form = DumpForm::hex;
  options.stats = !c.stats.empty();
  if (options.stats && c.stats != "end") {
    options.stats_interval = parse_duration(c.stats);
    if (!options.stats_interval || *options.stats_interval <= Duration::zero()) {
      error = "--stats: " + c.stats + " is not a time, such as 1s";
      return false;
    }
  }
  if (c.pdu.empty()) return true;
  options.pdu = NamedFraming{c.pdu, framing_named(c.pdu, c.max_pdu), c.pdu == "line" || c.pdu == "crlf"};
  return true;
}

// An interface by name or number.
std::optional<unsigned> interface_index(const std::string& text) {
  if (const auto number = parse_number(text, std::numeric_limits<int>::max())) {
    return static_cast<unsigned>(*number);
  }
  const unsigned index = ::if_nametoindex(text.c_str());
  if (index == 0) return std::nullopt;
  return index;
}

bool read_group(const std::string& text, MulticastGroup& group, std::string& error) {
  const std::size_t percent = text.find('%');
  int err = 0;
  group.text = text;
  group.address = tsock::Address::inet_from_strings("ip", text.substr(0, percent), 0, err);
  if (err != 0 || !group.address.is_multicast()) {
    error = "--mcast: " + text.substr(0, percent) + " is not the address of a group";
    return false;
  }
  if (percent == std::string::npos) return true;
  const auto index = interface_index(text.substr(percent + 1));
  if (!index) error = "--mcast: no interface " + text.substr(percent + 1);
  group.interface_index = index.value_or(0);
  return index.has_value();
}

bool apply_datagram_options(Collected& c, std::string& error) {
  Options& options = c.options;
  options.datagram.reuse_port = options.listener.reuse_port;
  if (c.multicast_no_loop) options.datagram.multicast_loop = false;
  if (!c.multicast_interface.empty()) {
    options.datagram.multicast_interface = interface_index(c.multicast_interface);
    if (!options.datagram.multicast_interface) {
      error = "--mcast-if: no interface " + c.multicast_interface;
      return false;
    }
  }
  for (const std::string& text : c.groups) {
    MulticastGroup group;
    group.interface_index = options.datagram.multicast_interface.value_or(0);
    if (!read_group(text, group, error)) return false;
    options.groups.push_back(std::move(group));
  }
  options.datagram.reuse_address = !options.groups.empty();  // several may listen to a group
  if (c.multicast_source.empty()) return true;
  int err = 0;
  options.multicast_source = tsock::Address::inet_from_strings("ip", c.multicast_source, 0, err);
  if (err != 0) error = "--mcast-source: " + c.multicast_source + " is not a numeric address";
  return err == 0;
}

// Groups, their source and -b are all of one family.
bool check_datagrams(const Options& options, std::string& error) {
  const auto& endpoints = options.endpoints;
  const bool has_udp =
      std::any_of(endpoints.begin(), endpoints.end(), [](const Endpoint& e) { return e.is_udp(); });
  const auto& groups = options.groups;
  const auto differs = [&groups](const tsock::Address& address) {
    return std::any_of(groups.begin(), groups.end(), [&address](const MulticastGroup& group) {
      return group.address.is_ipv4() != address.is_ipv4();
    });
  };
  if (!has_udp && (options.datagram.broadcast || !groups.empty())) {
    error = std::string(options.datagram.broadcast ? "-b" : "--mcast") + " is for UDP";
  } else if (groups.empty() && !options.multicast_source.is_empty()) {
    error = "--mcast-source needs --mcast";
  } else if (!groups.empty() && differs(groups.front().address)) {
    error = "--mcast: groups of IPv4 and of IPv6";
  } else if (!options.multicast_source.is_empty() && differs(options.multicast_source)) {
    error = "--mcast-source is of another family than --mcast";
  } else if (options.datagram.broadcast && !groups.empty() && !groups.front().address.is_ipv4()) {
    error = "-b is for IPv4, --mcast of IPv6";
  }
  return error.empty();
}

bool check_source(const Options& options, std::string& error) {
  if (options.source.empty()) return true;
  int err = 0;
  const auto address = tsock::Address::inet_from_strings("ip", options.source, 0, err);
  if (err != 0) error = "-s: " + options.source + " is not a numeric address";
  return !address.is_empty();
}

bool check_together(const Options& options, std::string& error) {
  const auto& endpoints = options.endpoints;
  const bool listens = std::any_of(endpoints.begin(), endpoints.end(),
                                   [](const Endpoint& endpoint) { return endpoint.is_listener(); });
  const bool uses_fd = std::any_of(endpoints.begin(), endpoints.end(), [](const Endpoint& endpoint) {
    return endpoint.kind == Endpoint::Kind::fd;
  });
  if (options.keep_listening && !listens) {
    error = "-k needs an ADDRESS to listen on";
  } else if (options.keep_listening && uses_fd) {
    error = "-k is for many connections, fd:N for one";
  } else if (options.max_connections && !options.keep_listening) {
    error = "--max-conns needs -k";
  } else if (options.pdu && endpoints.front().kind != Endpoint::Kind::stdio &&
             endpoints.front().is_datagram() == endpoints.back().is_datagram()) {
    error = "--pdu is for standard input and output, or between a stream and datagrams";
  } else if (options.pdu && options.keep_listening && endpoints.front().kind == Endpoint::Kind::stdio) {
    error = "--pdu and -k exclude each other with standard input and output";
  } else if (options.pdu && options.crlf) {
    error = "--pdu and -C exclude each other";
  }
  return error.empty();
}

// Checks what the parser of single options cannot see.
bool complete(const CLI::App& app, Collected& c, std::string& error) {
  if (!c.later.empty()) {
    error = c.later.front() + " is not in this version of tsock-cat";
    return false;
  }
  c.netcat.source = c.options.source;
  c.netcat.port = c.options.source_port;
  c.options.endpoints = parse_endpoints(c.words, c.netcat, error);
  return error.empty() && apply_listener_options(c, error) && apply_output_options(c, error) &&
         apply_datagram_options(c, error) && check_source(c.options, error) &&
         check_together(c.options, error) && check_datagrams(c.options, error) &&
         apply_security_options(app, c.options, error);
}

// Names and types as they are written in manuals, without the notes that CLI11 adds.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    std::string name = CLI::Formatter::make_option_name(option, is_positional);
    const std::size_t value = name.find('{');  // a flag that may have a value
    return value == std::string::npos ? name : name.substr(0, value) + "[=TIME]";
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_type_size() == 0) return {};
    const std::string type = option->get_type_name();
    return " " + type.substr(0, type.find(':'));
  }
};

}  // namespace

ParsedCommandLine parse_command_line(int argc, const char* const* argv) {
  CLI::App app(description, "tsock-cat");
  app.footer(footer);
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_version_flag("-V,--version", "tsock-cat " + std::string(tsock::version));
  Collected collected;
  app.add_option("ADDRESS", collected.words, "One or two endpoints")->type_name("");
  using AddOptions = void (*)(CLI::App&, Collected&);
  constexpr std::array<std::pair<const char*, AddOptions>, 7> groups{{
      {"Address", add_address_options},
      {"Server", add_server_options},
      {"Datagrams", add_datagram_options},
      {"The end of a direction", add_flow_options},
      {"Time", add_time_options},
      {"Transcript and report", add_output_options},
      {"", add_later_options},  // not in the help
  }};
  for (const auto& [group, add_options] : groups) {
    app.option_defaults()->group(group);
    add_options(app, collected);
  }
  add_security_options(app, collected.options);

  ParsedCommandLine parsed;
  // Also a wrong command line is reported as JSON when that was asked for.
  const bool json =
      std::any_of(argv, argv + argc, [](const char* word) { return std::string_view(word) == "--json"; });
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    parsed.text = app.help();
    return parsed;
  } catch (const CLI::CallForVersion& version) {
    parsed.text = std::string(version.what()) + "\n";
    return parsed;
  } catch (const CLI::ParseError& error) {
    parsed.failed = true;
    parsed.text = error.what();
    parsed.options.json = json;
    return parsed;
  }
  parsed.failed = !complete(app, collected, parsed.text);
  parsed.run = !parsed.failed;
  parsed.options = std::move(collected.options);
  return parsed;
}

}  // namespace tsock_cat
