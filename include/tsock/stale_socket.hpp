#pragma once

#include <cstdint>

namespace tsock {

/// What to do when the path that a unix socket is to be bound to exists already. Only a socket is ever
/// replaced.
enum class StaleSocket : std::uint8_t {
  fail,               ///< EADDRINUSE, as bind(2) does
  probe_and_replace,  ///< connect first: EADDRINUSE when somebody is there, otherwise take the path over
  replace,            ///< take the path over from whoever has it
};

}  // namespace tsock
