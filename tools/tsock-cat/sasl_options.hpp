#pragma once

#include <string>
#include <vector>

namespace tsock_cat {

/// What the options for SASL say, in the words of the command line.
struct SaslOptions {
  std::string mechanism;  ///< of the ADDRESS that connects; empty: no SASL there
  bool accepts = false;

  // a client
  std::string user;
  std::string authorization_name;
  std::string password_file;
  int password_descriptor = -1;

  // a server
  std::string database_file;
  std::string users_file;
  std::string realm;
  std::vector<std::string> offers;

  // both
  std::string service = "tsock";
  std::string host;
  bool allows_plaintext = false;
  unsigned lowest_strength = 0;
  unsigned highest_strength = 256;
  bool has_no_binding = false;
};

}  // namespace tsock_cat
