#include "handshake.hpp"

#include <cerrno>
#include <string>

namespace tsock_cat {

Failure handshake_failure(std::string_view protocol, const std::string& peer, int err,
                          std::string_view reason) {
  Failure failure;
  failure.code = ExitCode::security;
  failure.what = std::string(protocol) + " handshake with " + peer;
  failure.err = err;
  failure.text = reason;
  if (err != ETIMEDOUT) return failure;
  failure.code = ExitCode::timeout;
  failure.limit = "handshake";
  failure.text = "handshake timeout (--handshake-timeout)";
  return failure;
}

}  // namespace tsock_cat
