#pragma once

#include <cerrno>

namespace tsock::detail {

/// Whether the error is one of the connection, as opposed to one call's: no memory, a descriptor that cannot
/// be passed. The kernel tells what broke a connection once, so whoever meets it has to remember it.
inline bool breaks_connection(int err) noexcept {
  switch (err) {
    case ECONNRESET:
    case ECONNREFUSED:
    case ECONNABORTED:
    case ETIMEDOUT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETRESET:
    case ENETUNREACH:
    case EPROTO:
      return true;
    default:
      return false;
  }
}

}  // namespace tsock::detail
