#include <CLI/CLI.hpp>

#include "option_group.hpp"

namespace tsock_cat {
namespace {

// "--stats" is "--stats=end".
void set_stats(Options& options, const std::string& when) {
  options.stats = true;
  if (when == "end") return;
  options.stats_interval = parse_duration(when);
  if (!options.stats_interval || *options.stats_interval <= Duration::zero())
    throw CLI::ValidationError("--stats", when + " is not a time, such as 1s");
}

void add_report_options(CLI::App& app, Options& options) {
  app.add_flag("--stats{end}", options.stats_text, "Bytes and rates at the end; --stats=1s also every second")
      ->each([&options](const std::string& when) { set_stats(options, when); });
  app.add_flag("--json", options.json, "Report as JSON, one object a line");
  app.add_flag("-v,--verbose", options.verbosity, "Report connections and their ends; -vv more");
  app.add_flag("--trace", options.trace, "Report every step of every request");
}

}  // namespace

const OptionGroup report_options{"Report", add_report_options, nullptr};

}  // namespace tsock_cat
