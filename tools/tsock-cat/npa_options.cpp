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
  auto* const user = app.add_option("--npa-user", npa.user, "npa: on behalf of this user (an anonymous one)")
                         ->type_name("NAME");
  app.add_option("--npa-domain", npa.domain, "The user's domain")->needs(user)->type_name("NAME");
  app.add_option("--npa-sid", npa.sid, "The user's SID (S-1-22-1-UID)")->needs(user)->type_name("SID");
  app.add_option("--npa-uid", npa.uid, "The user's uid (our own)")->needs(user)->type_name("N");
  app.add_option("--npa-gid", npa.gid, "The user's gid (our own)")->needs(user)->type_name("N");
  app.add_option("--npa-groups", npa.groups, "The user's further groups")
      ->needs(user)
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("GID,...");
}

bool apply_npa(const std::string& first_option, Options& options, std::string& error) {
  const auto& endpoints = options.endpoints;
  const auto has = [&endpoints](bool listens) {
    return std::any_of(endpoints.begin(), endpoints.end(), [listens](const Endpoint& endpoint) {
      return endpoint.is_npa && endpoint.is_listener() == listens;
    });
  };
  const bool connects = has(false);
  if (!first_option.empty() && !connects && !has(true)) {
    error = first_option + " is for npa:// and npa-listen://";
  } else if (!options.npa.user.empty() && !connects) {
    error = "--npa-user is for npa://";
  }
  return error.empty();
}

}  // namespace

const OptionGroup npa_options{"NPA", add_npa_options, apply_npa};

}  // namespace tsock_cat
