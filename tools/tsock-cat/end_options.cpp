#include <CLI/CLI.hpp>

#include "option_group.hpp"

namespace tsock_cat {
namespace {

void add_end_options(CLI::App& app, Options& options) {
  app.add_flag_callback(
      "-N", [] {}, "As with netcat: end our side after standard input. This is the default");
  app.add_flag("--no-shutdown", options.no_shutdown, "Leave our side open after standard input ended");
  app.add_flag("--exit-on-peer-eof", options.exit_on_peer_eof, "End when the peer ends its side");
  auto* const send = app.add_flag_callback(
      "--send-only", [&options] { options.traffic = Traffic::send_only; }, "Send only; drop what comes");
  app.add_flag_callback(
         "--recv-only", [&options] { options.traffic = Traffic::receive_only; },
         "Receive only; standard input is not read")
      ->excludes(send);
  app.add_flag("-C,--crlf", options.crlf, "Send CRLF for each LF of the input");
}

}  // namespace

const OptionGroup end_options{"The end of a direction", add_end_options, nullptr};

}  // namespace tsock_cat
