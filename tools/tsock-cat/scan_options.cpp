#include <CLI/CLI.hpp>

#include "option_group.hpp"

namespace tsock_cat {
namespace {

void add_scan_options(CLI::App& app, Options& options) {
  app.add_flag("-z,--scan", options.scan,
               "Try ports: HOST... PORTS, as in 22,80,8000-8010; of UDP with -u. -w limits each (3s)");
  app.add_option("--scan-parallel", options.scan_parallel, "So many ports at once (64)")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 14));
}

bool apply_scan(const std::string& first_option, Options& options, std::string& error) {
  if (!options.scan) {
    if (!first_option.empty()) error = first_option + " needs -z";
    return error.empty();
  }
  const bool listens = options.netcat.listen || options.keep_listening;
  if (listens || options.netcat.unix_socket || options.source_port) {
    error = std::string("-z does not go with ") + (listens ? "-l and -k" : options.source_port ? "-p" : "-U");
    return false;
  }
  options.scan_targets = parse_scan_targets(options.words, options.netcat.datagram, error);
  return error.empty();
}

}  // namespace

const OptionGroup scan_options{"Port scan", add_scan_options, apply_scan};

}  // namespace tsock_cat
