#pragma once

#include <cstdint>

namespace tsock::inline v0 {

/// How an operation ended, for `Operation::cleanup()`.
enum class Outcome : std::uint8_t {
  done,       ///< `done()` was called
  failed,     ///< `error()`, a cancel or a deadline; the errno value goes with it
  abandoned,  ///< the Request was destroyed
};

}  // namespace tsock::inline v0
