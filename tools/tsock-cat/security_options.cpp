#include "security_options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <tuple>
#include <utility>

namespace tsock_cat {
namespace {

void add_tls_trust_options(CLI::App& app, TlsOptions& tls) {
  app.add_option("--tls-ca", tls.ca_file, "Trust the CAs of this file (PEM), beside those of the system")
      ->type_name("FILE");
  app.add_option("--tls-ca-dir", tls.ca_directory, "The same with a directory (openssl rehash)")
      ->type_name("DIR");
  app.add_flag("--tls-no-system-cas", tls.no_system_cas, "Trust no CA of the system");
  app.add_option("--tls-crl", tls.crl_file, "Refuse what these lists revoke (PEM)")->type_name("FILE");
  app.add_option("--tls-pin", tls.pins,
                 "Require this key in the peer's chain: sha256//BASE64; may be given again")
      ->allow_extra_args(false)
      ->type_name("PIN");
  auto* const verify =
      app.add_option("--tls-verify", tls.verify,
                     "How a server is verified: no_check, ca_only, ca_and_name_if_available,\n"
                     "ca_and_name (the default), as_strict_as_possible")
          ->check(CLI::IsMember(
              {"no_check", "ca_only", "ca_and_name_if_available", "ca_and_name", "as_strict_as_possible"}))
          ->type_name("LEVEL");
  app.add_flag_callback(
         "--insecure", [&tls] { tls.verify = "no_check"; }, "Do not verify the server: --tls-verify no_check")
      ->excludes(verify);
  app.add_option("--tls-name", tls.peer_name, "The name that the server's certificate has to have (HOST)")
      ->type_name("NAME");
  app.add_option("--tls-sni", tls.server_name, "The name that the server is asked for (that of --tls-name)")
      ->type_name("NAME");
  app.add_option("--tls-client-auth", tls.client_auth,
                 "What tls-listen asks of clients: none, request, require a certificate")
      ->check(CLI::IsMember({"none", "request", "require"}))
      ->type_name("HOW");
}

void add_tls_identity_options(CLI::App& app, TlsOptions& tls) {
  app.add_option("--tls-cert", tls.certificate_files,
                 "Our certificate and its chain (PEM); with tls-listen several, chosen by SNI")
      ->allow_extra_args(false)
      ->type_name("FILE");
  app.add_option("--tls-key", tls.key_files, "Its key (PEM), if it is not in the same file")
      ->allow_extra_args(false)
      ->type_name("FILE");
  app.add_option("--tls-pkcs12", tls.pkcs12_files, "Both in one file, as PKCS#12")
      ->allow_extra_args(false)
      ->type_name("FILE");
  app.add_option("--tls-password-file", tls.password_file, "The first line is the password of key or PKCS#12")
      ->type_name("FILE");
  app.add_option("--tls-psk-file", tls.psk_file,
                 "Pre-shared keys, a line each: identity:key in hexadecimal; a client takes the first")
      ->type_name("FILE");
  app.add_flag("--tls-allow-readable-key", tls.allow_readable_key, "Take key files that others can read");
}

void add_tls_options(CLI::App& app, Options& options) {
  TlsOptions& tls = options.tls;
  add_tls_trust_options(app, tls);
  add_tls_identity_options(app, tls);
  app.add_option("--tls-alpn", tls.alpn, "Protocols to offer, or to choose from; the best one first")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAME,...");
  for (const auto& [name, version, help] :
       {std::tuple("--tls-min", &tls.lowest, "Lowest version: 1.2 or 1.3"),
        std::tuple("--tls-max", &tls.highest, "Highest version")}) {
    app.add_option(name, *version, help)->check(CLI::IsMember({"1.2", "1.3"}))->type_name("VERSION");
  }
  app.add_option("--tls-ciphers", tls.ciphers, "Ciphers of TLS 1.2, see openssl-ciphers(1)")
      ->type_name("LIST");
  app.add_option("--tls-suites", tls.cipher_suites, "Cipher suites of TLS 1.3, separated by colons")
      ->type_name("LIST");
  app.add_option("--tls-groups", tls.groups, "Groups of the key exchange, separated by colons")
      ->type_name("LIST");
  app.add_flag("--allow-truncation", tls.allow_truncation,
               "Take a connection that ends without close_notify for one that ended in order");
  app.add_option("--tls-keylog", tls.key_log_file,
                 "Append the keys of the connections, for Wireshark; also by the variable SSLKEYLOGFILE")
      ->type_name("FILE");
  app.add_flag("--tls-show", tls.show, "Report version, cipher, and the peer's certificates");
}

void add_npa_options(CLI::App& app, Options& options) {
  NpaOptions& npa = options.npa;
  app.add_option("--npa-mode", npa.mode, "npa-listen: message (the default), each write is one; or byte")
      ->check(CLI::IsMember({"message", "byte"}))
      ->type_name("MODE");
  app.add_option("--npa-level", npa.level, "Level of the protocol: 7, 8, or any (the default)")
      ->check(CLI::IsMember({"7", "8", "any"}))
      ->type_name("LEVEL");
}

void add_gssapi_options(CLI::App& app, Options& options) {
  GssapiOptions& gssapi = options.gssapi;
  app.add_option("--gssapi", gssapi.target,
                 "The ADDRESS that connects: authenticate to this server, service@host, and seal all bytes")
      ->type_name("TARGET");
  app.add_flag("--gssapi-accept", gssapi.accepts, "The ADDRESS that listens: ask that of each client");
  app.add_option("--gssapi-mech", gssapi.mechanism,
                 "kerberos (a client's default), spnego, or an OID; a server takes any by default")
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

bool apply_tls(const std::string& first_option, Options& options, std::string& error) {
  const TlsOptions& tls = options.tls;
  const auto has = [&options](bool listens) {
    const auto& endpoints = options.endpoints;
    return std::any_of(endpoints.begin(), endpoints.end(), [listens](const Endpoint& endpoint) {
      return endpoint.is_tls && endpoint.is_listener() == listens;
    });
  };
  const bool connects = has(false);
  const bool listens = has(true);
  const std::size_t identities = tls.certificate_files.size() + tls.pkcs12_files.size();
  if (!connects && !listens) {
    if (!first_option.empty()) error = first_option + " is for tls:// and tls-listen://";
  } else if (!tls.key_files.empty() && tls.key_files.size() != tls.certificate_files.size()) {
    error = "--tls-key: one for each --tls-cert, in the same order";
  } else if (!tls.password_file.empty() && identities == 0) {
    error = "--tls-password-file needs --tls-cert or --tls-pkcs12";
  } else if (listens && identities == 0 && tls.psk_file.empty()) {
    error =
        "tls-listen:// needs --tls-cert (and --tls-key), --tls-pkcs12 or --tls-psk-file; for a try:\n"
        "  openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost";
  } else if (!listens && identities > 1) {
    error = "tls:// has one certificate";
  } else if (!listens && tls.client_auth != "none") {
    error = "--tls-client-auth is for tls-listen://";
  } else if (listens && tls.client_auth != "none" && tls.ca_file.empty() && tls.ca_directory.empty()) {
    error = "--tls-client-auth needs --tls-ca or --tls-ca-dir";
  } else if (tls.lowest > tls.highest) {
    error = "--tls-min is above --tls-max";
  }
  return error.empty();
}

bool apply_npa(const std::string& first_option, Options& options, std::string& error) {
  const auto& endpoints = options.endpoints;
  const bool is_used = std::any_of(endpoints.begin(), endpoints.end(),
                                   [](const Endpoint& endpoint) { return endpoint.is_npa; });
  if (!first_option.empty() && !is_used) error = first_option + " is for npa:// and npa-listen://";
  return error.empty();
}

// The last ADDRESS of streams that connects, or that listens.
Endpoint* stream_endpoint(Options& options, bool listens) {
  auto& endpoints = options.endpoints;
  const auto found = std::find_if(endpoints.rbegin(), endpoints.rend(), [listens](const Endpoint& endpoint) {
    return endpoint.is_network() && !endpoint.is_datagram() && endpoint.is_listener() == listens;
  });
  return found != endpoints.rend() ? &*found : nullptr;
}

// The ADDRESS gets the layer. `option` is who wants it.
bool put_layer(Options& options, bool listens, Endpoint::Layer layer, const char* option,
               std::string& error) {
  Endpoint* const endpoint = stream_endpoint(options, listens);
  if (endpoint == nullptr) {
    error = std::string(option) + " is for an ADDRESS of streams that " + (listens ? "listens" : "connects");
  } else if (endpoint->is_npa) {
    error = std::string(option) + " is not for a named pipe";
  } else if (endpoint->layer != Endpoint::Layer::none) {
    error = "one of --gssapi and --sasl for an ADDRESS";
  } else {
    endpoint->layer = layer;
  }
  return error.empty();
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

// What is written in the help above its options, and what each needs.
struct Group {
  const char* name;
  void (*add)(CLI::App& app, Options& options);
  bool (*apply)(const std::string& first_option, Options& options, std::string& error);
};

constexpr std::array<Group, 4> groups{{
    {"TLS", add_tls_options, apply_tls},
    {"NPA", add_npa_options, apply_npa},
    {"GSSAPI", add_gssapi_options, apply_gssapi},
    {"SASL", add_sasl_options, apply_sasl},
}};

// The first option of the group that was given, or nothing.
std::string first_option_of(const CLI::App& app, std::string_view group) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group() == group && option->count() != 0) return option->get_name();
  }
  return {};
}

}  // namespace

void add_security_options(CLI::App& app, Options& options) {
  for (const Group& group : groups) {
    app.option_defaults()->group(group.name);
    group.add(app, options);
  }
}

bool apply_security_options(const CLI::App& app, Options& options, std::string& error) {
  return std::all_of(groups.begin(), groups.end(), [&](const Group& group) {
    return group.apply(first_option_of(app, group.name), options, error);
  });
}

}  // namespace tsock_cat
