#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>

#include "option_group.hpp"
#include "system.hpp"

namespace tsock_cat {
namespace {

// An interface by name or number.
std::optional<unsigned> parse_interface(const std::string& text) {
  if (const auto number = parse_number(text, std::numeric_limits<int>::max())) {
    return static_cast<unsigned>(*number);
  }
  return interface_index(text.c_str());
}

// Groups wait for the other options: --mcast-if may come later.
void add_multicast_options(CLI::App& app, Options& options) {
  auto& datagram = options.datagram;
  const auto add_group = [&options](const std::string& text) {
    options.groups.emplace_back();
    options.groups.back().text = text;
  };
  app.add_option_function<std::vector<std::string>>(
         "--mcast",
         [add_group](const std::vector<std::string>& texts) {
           std::for_each(texts.begin(), texts.end(), add_group);
         },
         "Receive what is sent to the group; may be given again")
      ->allow_extra_args(false)
      ->type_name("GROUP[%IF]");
  const auto set_source = [&options](const std::string& text) {
    int err = 0;
    options.multicast_source = tsock::Address::inet_from_strings("ip", text, 0, err);
    if (err != 0) throw CLI::ValidationError("--mcast-source", text + " is not a numeric address");
  };
  app.add_option_function<std::string>("--mcast-source", set_source, "With --mcast: from this sender only")
      ->type_name("ADDR");
  const auto set_interface = [&datagram](const std::string& text) {
    datagram.multicast_interface = parse_interface(text);
    if (!datagram.multicast_interface) throw CLI::ValidationError("--mcast-if", "no interface " + text);
  };
  app.add_option_function<std::string>("--mcast-if", set_interface, "Interface that groups are sent to by")
      ->type_name("IF");
  app.add_option("--mcast-ttl", datagram.multicast_ttl,
                 "Routers that what is sent to groups may pass, plus 1")
      ->type_name("N")
      ->check(CLI::Range(0, 255));
  app.add_flag_callback(
      "--mcast-no-loop", [&datagram] { datagram.multicast_loop = false; },
      "This host does not hear what it sends to groups");
}

void add_datagram_options(CLI::App& app, Options& options) {
  auto& datagram = options.datagram;
  app.add_flag("-b,--broadcast", datagram.broadcast, "Allow sending to broadcast addresses; IPv4");
  add_multicast_options(app, options);
  app.add_flag("--connected", options.connected,
               "Of udp-listen: once the first sender is there, receive from it alone, in the kernel");
  app.add_flag("--icmp-errors", datagram.icmp_errors,
               "Report undelivered datagrams also where many peers share a socket");
  app.add_option("--max-datagram", options.max_datagram,
                 "Send at most N bytes of the input in one datagram (65507)")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 20));
}

bool read_group(MulticastGroup& group, std::string& error) {
  const std::string& text = group.text;
  const std::size_t percent = text.find('%');
  int err = 0;
  group.address = tsock::Address::inet_from_strings("ip", text.substr(0, percent), 0, err);
  if (err != 0 || !group.address.is_multicast()) {
    error = "--mcast: " + text.substr(0, percent) + " is not the address of a group";
    return false;
  }
  if (percent == std::string::npos) return true;
  const auto index = parse_interface(text.substr(percent + 1));
  if (!index) error = "--mcast: no interface " + text.substr(percent + 1);
  group.interface_index = index.value_or(0);
  return index.has_value();
}

bool read_groups(Options& options, std::string& error) {
  for (MulticastGroup& group : options.groups) {
    group.interface_index = options.datagram.multicast_interface.value_or(0);
    if (!read_group(group, error)) return false;
  }
  return true;
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
  if (options.connected && (!has_udp || options.datagram.broadcast || !groups.empty())) {
    error = "--connected is for UDP with one peer";
  } else if (options.connected && options.keep_listening) {
    error = "--connected is for one sender, -k for many";
  } else if (!has_udp && (options.datagram.broadcast || !groups.empty())) {
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

bool apply_datagrams(const std::string& /*first_option*/, Options& options, std::string& error) {
  options.datagram.reuse_port = options.listener.reuse_port;
  options.datagram.reuse_address = !options.groups.empty();  // several may listen to a group
  return read_groups(options, error) && check_datagrams(options, error);
}

}  // namespace

const OptionGroup datagram_options{"Datagrams", add_datagram_options, apply_datagrams};

}  // namespace tsock_cat
