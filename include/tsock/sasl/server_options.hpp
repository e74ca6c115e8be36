#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/sasl/security_options.hpp>
#include <vector>

namespace tsock::inline v0::sasl {

/// How a server authenticates its clients. The functions are called from the thread that runs the step that
/// needs them, which is a worker for requests. Without any of the three for passwords only mechanisms that
/// need none succeed. No configuration file of the system is read.
struct ServerOptions {
  std::string service = {};                  ///< the registered name of the protocol: "ldap", "imap"
  std::string host = {};                     ///< this server's name; empty: that of the machine
  std::string realm = {};                    ///< for mechanisms with realms; empty: `host`
  std::vector<std::string> mechanisms = {};  ///< the only ones to offer; empty: all that the options allow
  /// The password of a user in clear text, which all mechanisms with passwords can work with; nothing for a
  /// user that does not exist. A name of another realm has it behind an '@'. The string is wiped after use.
  std::function<std::optional<std::string>(std::string_view user)> password_of = {};
  /// Whether that is the user's password, for mechanisms that send it (PLAIN, LOGIN); comes before
  /// `password_of`.
  std::function<bool(std::string_view user, std::string_view password)> check_password = {};
  /// A file of saslpasswd2, where there is no `password_of`.
  std::string sasldb_file = {};
  /// Whether a user may act as another one. Without it nobody may.
  std::function<bool(std::string_view user, std::string_view authorization_name)> may_act_as = {};
  SecurityOptions security = {};
};

}  // namespace tsock::inline v0::sasl
