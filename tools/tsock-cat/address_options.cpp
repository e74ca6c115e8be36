#include <CLI/CLI.hpp>

#include "option_group.hpp"

namespace tsock_cat {
namespace {

void add_address_options(CLI::App& app, Options& options) {
  NetcatStyle& netcat = options.netcat;
  app.add_flag("-l,--listen", netcat.listen, "Listen: [host] port, or path with -U");
  app.add_flag("-u,--udp", netcat.datagram, "The words are for UDP, or with -U for unix datagrams");
  app.add_flag("-U,--unix", netcat.unix_socket, "The word is the path of a unix socket; @name is abstract");
  auto* const ipv4 = app.add_flag("-4,--ipv4", options.ipv4_only, "IPv4 addresses only");
  app.add_flag("-6,--ipv6", options.ipv6_only, "IPv6 addresses only")->excludes(ipv4);
  app.add_flag("-n,--numeric", options.numeric, "Never ask a name server");
  app.add_option("-s,--source", options.source, "Connect from, or with -l listen on, this address")
      ->type_name("ADDR");
  app.add_option("-p,--source-port", options.source_port, "Connect from, or with -l listen on, this port")
      ->type_name("PORT");
}

bool apply_addresses(const std::string& /*first_option*/, Options& options, std::string& error) {
  options.netcat.source = options.source;
  options.netcat.port = options.source_port;
  if (!options.scan) options.endpoints = parse_endpoints(options.words, options.netcat, error);
  if (!error.empty() || options.source.empty()) return error.empty();
  int err = 0;
  static_cast<void>(tsock::Address::inet_from_strings("ip", options.source, 0, err));
  if (err != 0) error = "-s: " + options.source + " is not a numeric address";
  return err == 0;
}

}  // namespace

const OptionGroup address_options{"Address", add_address_options, apply_addresses};

}  // namespace tsock_cat
