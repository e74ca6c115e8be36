#include <CLI/CLI.hpp>
#include <algorithm>

#include "option_group.hpp"

namespace tsock_cat {
namespace {

void add_npa_options(CLI::App& app, Options& options) {
  NpaOptions& npa = options.npa;
  app.add_option("--npa-mode", npa.mode, "npa-listen: message (the default), each write is one; or byte")
      ->check(CLI::IsMember({"message", "byte"}))
      ->type_name("MODE");
  app.add_option("--npa-level", npa.level, "Level of the protocol: 7, 8, or any (the default)")
      ->check(CLI::IsMember({"7", "8", "any"}))
      ->type_name("LEVEL");
}

bool apply_npa(const std::string& first_option, Options& options, std::string& error) {
  const auto& endpoints = options.endpoints;
  const bool is_used = std::any_of(endpoints.begin(), endpoints.end(),
                                   [](const Endpoint& endpoint) { return endpoint.is_npa; });
  if (!first_option.empty() && !is_used) error = first_option + " is for npa:// and npa-listen://";
  return error.empty();
}

}  // namespace

const OptionGroup npa_options{"NPA", add_npa_options, apply_npa};

}  // namespace tsock_cat
