#pragma once

#include <cstdint>

namespace tsock::inline v0 {

/// What to do if the path that a unix socket is to be bound to already exists. Only a socket is ever
/// replaced.
enum class StaleSocket : std::uint8_t {
  fail,               ///< EADDRINUSE, as bind(2) does
  probe_and_replace,  ///< connect first: EADDRINUSE if a socket answers, otherwise take the path over
  replace,            ///< take the path over from any socket that has it
};

}  // namespace tsock::inline v0
