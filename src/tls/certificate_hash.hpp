#pragma once

#include <cstddef>
#include <vector>

#include "tls/openssl.hpp"

namespace tsock::inline v0::tls {

/// The channel binding to a server's certificate (RFC 5929 section 4.1). \return 0, ENOMEM, or ENOTSUP for no
/// certificate, and one that has no such hash. Throws std::bad_alloc.
[[nodiscard]] int hash_certificate(X509* certificate, std::vector<std::byte>& hash);

}  // namespace tsock::inline v0::tls
