#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>

#include "layer_option.hpp"
#include "option_group.hpp"

namespace tsock_cat {
namespace {

void add_sasl_client_options(CLI::App& app, SaslOptions& sasl) {
  app.add_option("--sasl", sasl.mechanism, "The ADDRESS that connects: authenticate with this mechanism")
      ->type_name("MECH");
  app.add_option("--sasl-user", sasl.user, "Whose password it is")->type_name("NAME");
  app.add_option("--sasl-act-as", sasl.authorization_name, "Whom to act as, if not that user")
      ->type_name("NAME");
  auto* const file = app.add_option("--sasl-password-file", sasl.password_file,
                                    "The first line is the password; also by TSOCK_CAT_SASL_PASSWORD")
                         ->type_name("FILE");
  app.add_option("--sasl-password-fd", sasl.password_descriptor, "The same from a descriptor")
      ->excludes(file)
      ->check(CLI::Range(3, std::numeric_limits<int>::max()))
      ->type_name("N");
}

void add_sasl_server_options(CLI::App& app, SaslOptions& sasl) {
  app.add_flag("--sasl-accept", sasl.accepts, "The ADDRESS that listens: each client has to authenticate");
  auto* const database =
      app.add_option("--sasl-db", sasl.database_file, "Its users, by saslpasswd2(8)")->type_name("FILE");
  app.add_option("--sasl-users", sasl.users_file, "Its users, a line each: user:password")
      ->excludes(database)
      ->type_name("FILE");
  app.add_option("--sasl-realm", sasl.realm, "Its realm (the host)")->type_name("REALM");
  app.add_option("--sasl-offer", sasl.offers, "The only mechanisms that it offers")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("MECH,...");
}

void add_sasl_options(CLI::App& app, Options& options) {
  SaslOptions& sasl = options.sasl;
  add_sasl_client_options(app, sasl);
  add_sasl_server_options(app, sasl);
  app.add_option("--sasl-service", sasl.service, "The name of the protocol, as tickets have it (tsock)")
      ->type_name("NAME");
  app.add_option("--sasl-host", sasl.host, "The name of the server (the host of the ADDRESS)")
      ->type_name("NAME");
  app.add_flag("--sasl-allow-plaintext", sasl.allows_plaintext,
               "Also mechanisms that show the password, where there is no TLS");
  app.add_option("--sasl-min", sasl.lowest_strength, "Lowest strength, that of TLS included, in bits (0)")
      ->type_name("BITS");
  app.add_option("--sasl-max", sasl.highest_strength, "Highest strength of the layer; 0: none (256)")
      ->type_name("BITS");
  app.add_flag("--sasl-no-binding", sasl.has_no_binding, "Do not tie it to the TLS stream below");
}

bool apply_sasl(const std::string& first_option, Options& options, std::string& error) {
  const SaslOptions& sasl = options.sasl;
  const bool connects = !sasl.mechanism.empty();
  const bool is_for_client = !sasl.user.empty() || !sasl.authorization_name.empty() ||
                             !sasl.password_file.empty() || sasl.password_descriptor >= 0;
  const bool is_for_server =
      !sasl.database_file.empty() || !sasl.users_file.empty() || !sasl.realm.empty() || !sasl.offers.empty();
  if (!connects && !sasl.accepts) {
    if (!first_option.empty()) error = first_option + " needs --sasl MECH or --sasl-accept";
  } else if (!connects && is_for_client) {
    error = "--sasl-user, --sasl-act-as and --sasl-password-* need --sasl MECH";
  } else if (!sasl.accepts && is_for_server) {
    error = "--sasl-db, --sasl-users, --sasl-realm and --sasl-offer need --sasl-accept";
  } else if (sasl.lowest_strength > std::max(sasl.highest_strength, 256U)) {
    error = "--sasl-min is above what there is";
  }
  return error.empty() && (!connects || put_layer(options, false, Endpoint::Layer::sasl, "--sasl", error)) &&
         (!sasl.accepts || put_layer(options, true, Endpoint::Layer::sasl, "--sasl-accept", error));
}

}  // namespace

const OptionGroup sasl_options{"SASL", add_sasl_options, apply_sasl};

}  // namespace tsock_cat
