#include <CLI/CLI.hpp>
#include <utility>

#include "option_group.hpp"

namespace tsock_cat {
namespace {

void add_inspect_options(CLI::App& app, Options& options) {
  app.add_option("--inspect", options.inspect_text,
                 "Look into a daemon that has called tsock::inspect(). Words are a command: dump, metrics,\n"
                 "trace SECONDS; without one a screen that is refreshed, or a dump where no terminal is")
      ->type_name("unix:PATH");
}

// As the option is for unix sockets only, a path alone will do.
bool apply_inspect(const std::string& /*first_option*/, Options& options, std::string& error) {
  const std::string& text = options.inspect_text;
  if (text.empty()) return true;
  const bool is_path = text.starts_with('/') || text.starts_with('.');
  std::optional<Endpoint> endpoint = parse_endpoint(is_path ? "unix:" + text : text, error);
  if (!endpoint) return false;
  if (endpoint->kind != Endpoint::Kind::unix_stream || endpoint->is_npa) {
    error = "--inspect: " + text + " is not unix:PATH";
    return false;
  }
  options.inspect = std::move(endpoint);
  return true;
}

}  // namespace

const OptionGroup inspect_options{"Look into a daemon", add_inspect_options, apply_inspect};

}  // namespace tsock_cat
