#pragma once

#include <string>

#include "gssapi/sspi/sspi.hpp"

namespace tsock::inline v0::gssapi {

/// What a failure of SSPI means, in words. Throws std::bad_alloc.
[[nodiscard]] std::string status_text(SECURITY_STATUS status);

/// The errno value of a failure in a handshake: the one that the same failure of GSSAPI has.
[[nodiscard]] int handshake_errno(SECURITY_STATUS status) noexcept;

}  // namespace tsock::inline v0::gssapi
