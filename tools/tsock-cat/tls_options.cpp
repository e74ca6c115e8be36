#include <CLI/CLI.hpp>
#include <algorithm>
#include <tuple>

#include "option_group.hpp"

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

bool apply_tls(const std::string& first_option, Options& options, std::string& error) {
  const TlsOptions& tls = options.tls;
  const auto has = [&options](bool listens) {
    const auto& endpoints = options.endpoints;
    return std::any_of(endpoints.begin(), endpoints.end(), [listens](const Endpoint& endpoint) {
      return endpoint.is_tls && endpoint.is_listener() == listens;
    });
  };
  const bool connects = has(false) || options.proxy.endpoint.is_tls;
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

}  // namespace

const OptionGroup tls_options{"TLS", add_tls_options, apply_tls};

}  // namespace tsock_cat
