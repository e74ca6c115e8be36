#pragma once

#include <cstddef>
#include <vector>

namespace tsock_cat {

/// What an authentication inside of a TLS stream wants to know of it.
struct TlsBinding {
  std::vector<std::byte> server_end_point;  ///< tls-server-end-point (RFC 5929); empty without a certificate
  unsigned strength = 0;                    ///< of the cipher, in bits
};

}  // namespace tsock_cat
