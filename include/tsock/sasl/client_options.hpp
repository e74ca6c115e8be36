#pragma once

#include <functional>
#include <span>
#include <string>
#include <tsock/sasl/security_options.hpp>
#include <vector>

namespace tsock::inline v0::sasl {

/// How a client authenticates. The functions are called from the thread that runs the step that needs them,
/// which is a worker for requests; a mechanism that needs one that is missing is not chosen.
struct ClientOptions {
  std::string service = {};                  ///< the registered name of the protocol: "ldap", "imap"
  std::string host = {};                     ///< the server's name, as tickets and digests have it
  std::vector<std::string> mechanisms = {};  ///< the only ones to use; empty: all that the options allow
  /// Whose password it is (the authentication name).
  std::function<std::string()> user = {};
  std::function<std::string()> password = {};  ///< wiped after use
  /// Whom to act as (the authorization name), if not the user.
  std::function<std::string()> authorization_name = {};
  /// Of those that the server offers, which may be none; without it the first one.
  std::function<std::string(std::span<const std::string> offered)> realm = {};
  SecurityOptions security = {};
};

}  // namespace tsock::inline v0::sasl
