#include "tls.hpp"

#include <cerrno>
#include <string>

namespace tsock_cat {

Failure handshake_failure(const std::string& peer, int err, std::string_view reason) {
  Failure failure;
  failure.code = ExitCode::tls;
  failure.what = "TLS handshake with " + peer;
  failure.err = err;
  failure.text = reason;
  if (err != ETIMEDOUT) return failure;
  failure.code = ExitCode::timeout;
  failure.limit = "handshake";
  failure.text = "handshake timeout (--tls-timeout)";
  return failure;
}

}  // namespace tsock_cat
