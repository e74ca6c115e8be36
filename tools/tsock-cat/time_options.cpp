#include <CLI/CLI.hpp>

#include "duration_option.hpp"
#include "option_group.hpp"

namespace tsock_cat {
namespace {

void add_time_options(CLI::App& app, Options& options) {
  add_duration(app, "-w,--connect-timeout", options.connect_timeout, "Limit on each attempt to connect");
  add_duration(app, "-i,--idle-timeout", options.idle_timeout, "End when no byte moved for that long");
  add_duration(app, "-q,--quit-after", options.quit_after, "End that long after standard input ended");
  add_duration(app, "--max-time", options.max_time, "End that long after the start");
  add_duration(app, "--linger", options.linger,
               "At the end wait that long for a peer that has not taken everything (30s; 1s after a signal)");
  app.add_option("--retry", options.retries, "Try N more times to connect")->type_name("N");
  add_duration(app, "--retry-delay", options.retry_delay, "Wait before each of them (1s)");
  add_duration(app, "--handshake-timeout,--tls-timeout", options.handshake_timeout,
               "Limit on each handshake (10s)");
}

}  // namespace

const OptionGroup time_options{"Time", add_time_options, nullptr};

}  // namespace tsock_cat
