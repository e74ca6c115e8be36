#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace tsock_cat {

/// What an authentication inside of a TLS stream wants to know of it.
struct TlsBinding {
  std::vector<std::byte> server_end_point;  ///< tls-server-end-point (RFC 5929); empty without a certificate
  unsigned strength = 0;                    ///< of the cipher, in bits
  std::string peer_name;                    ///< of a certificate that was verified
  std::string own_name;                     ///< of the client's certificate
};

}  // namespace tsock_cat
