#pragma once

#include <optional>
#include <string>

namespace tsock::inline v0::npa {

/// Names of an account on a Unix system (auth_user_info_unix), as in AccountInfo.
struct UnixNames {
  std::optional<std::string> unix_name{};
  std::optional<std::string> sanitized_username{};  ///< the client's name, fit for a file name

  friend bool operator==(const UnixNames&, const UnixNames&) = default;
};

}  // namespace tsock::inline v0::npa
