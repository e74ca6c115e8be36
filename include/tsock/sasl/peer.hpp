#pragma once

#include <cstddef>
#include <string>
#include <tsock/export.hpp>
#include <tsock/stream.hpp>

namespace tsock::inline v0::sasl {

/// What an authentication has agreed on.
struct Peer {
  std::string mechanism;            ///< "SCRAM-SHA-256"
  std::string user;                 ///< for whom the client acts; empty for an anonymous one
  std::string authentication_name;  ///< whose password or ticket it was, if it is known
  unsigned strength = 0;            ///< SSF of the security layer; 0: there is none
  std::size_t most_plain = 0;       ///< bytes that one message to the peer can hold; 0 without a layer
};

/// What a stream's topmost layer, if it is of SASL, knows of the authentication. \return ENOTSUP in `err` for
/// any other stream, and for one that is closed. Throws std::bad_alloc.
[[nodiscard]] TSOCK_EXPORT Peer peer(const Stream& stream, int& err);

}  // namespace tsock::inline v0::sasl
