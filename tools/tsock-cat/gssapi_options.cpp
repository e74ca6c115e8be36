#include <CLI/CLI.hpp>

#include "layer_option.hpp"
#include "option_group.hpp"

namespace tsock_cat {
namespace {

void add_gssapi_options(CLI::App& app, Options& options) {
  GssapiOptions& gssapi = options.gssapi;
  app.add_option("--gssapi", gssapi.target,
                 "The ADDRESS that connects: authenticate to this server, service@host, and seal all bytes")
      ->type_name("TARGET");
  app.add_flag("--gssapi-accept", gssapi.accepts, "The ADDRESS that listens: ask that of each client");
  app.add_option("--gssapi-mech", gssapi.mechanism,
                 "kerberos (a client's default), spnego, ntlm, or an OID; a server takes any by default")
      ->type_name("MECH");
  app.add_option("--gssapi-keytab", gssapi.keytab, "Keys of the server, or of the client (KRB5_KTNAME)")
      ->type_name("FILE");
  app.add_option("--gssapi-ccache", gssapi.ccache, "Tickets of the client (KRB5CCNAME)")->type_name("NAME");
  app.add_option("--gssapi-principal", gssapi.principal, "Whose keys or tickets, where there are several")
      ->type_name("NAME");
  app.add_flag("--gssapi-sign-only", gssapi.signs_only, "Sign bytes, do not seal them");
  app.add_flag("--gssapi-delegate", gssapi.delegates, "Give the server tickets to act for us");
  app.add_option("--gssapi-frame", gssapi.frame,
                 "In front of messages: length (the default), mit as gss-client has it, postgresql")
      ->check(CLI::IsMember({"length", "mit", "postgresql"}))
      ->type_name("FRAME");
  app.add_flag("--gssapi-no-binding", gssapi.has_no_binding, "Do not tie it to the TLS stream below");
}

bool apply_gssapi(const std::string& first_option, Options& options, std::string& error) {
  const GssapiOptions& gssapi = options.gssapi;
  if (gssapi.target.empty() && !gssapi.accepts) {
    if (!first_option.empty()) error = first_option + " needs --gssapi TARGET or --gssapi-accept";
    return error.empty();
  }
  if (gssapi.target.empty() && (gssapi.delegates || !gssapi.ccache.empty())) {
    error =
        std::string(gssapi.delegates ? "--gssapi-delegate" : "--gssapi-ccache") + " needs --gssapi TARGET";
    return false;
  }
  return (gssapi.target.empty() || put_layer(options, false, Endpoint::Layer::gssapi, "--gssapi", error)) &&
         (!gssapi.accepts || put_layer(options, true, Endpoint::Layer::gssapi, "--gssapi-accept", error));
}

}  // namespace

const OptionGroup gssapi_options{"GSSAPI", add_gssapi_options, apply_gssapi};

}  // namespace tsock_cat
