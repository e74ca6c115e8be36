#pragma once

#include <string>

#include "exit_code.hpp"

namespace tsock_cat {

/// Why something ended other than asked; default constructed, that it did not.
struct Failure {
  ExitCode code = ExitCode::ok;
  std::string what;        ///< "connect to tcp://127.0.0.1:7"
  std::string where = {};  ///< what that was for the system: the addresses that were tried
  int err = 0;             ///< errno value, 0 when there is none
  std::string limit;  ///< for ExitCode::timeout which one: "connect", "handshake", "idle", "total", "system"
  std::string text;   ///< the rest of the sentence when it is not the errno value's
  bool comes_back = false;  ///< of a client: one that tries something else next, on another connection

  explicit operator bool() const noexcept { return code != ExitCode::ok; }
};

/// What to try, in a few words; empty when nobody knows.
[[nodiscard]] std::string hint(const Failure& failure);

/// "connect to tcp://127.0.0.1:7: ECONNREFUSED: Connection refused".
[[nodiscard]] std::string sentence(const Failure& failure);

}  // namespace tsock_cat
