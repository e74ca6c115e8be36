#pragma once

#include <gssapi/gssapi.h>

#include <string>

namespace tsock::inline v0::gssapi {

/// What GSSAPI says of a failure, in its words; characters that are no printable ASCII are replaced, as some
/// come from the network. Throws std::bad_alloc.
[[nodiscard]] std::string status_text(OM_uint32 major, OM_uint32 minor, gss_OID mechanism);

/// The errno value of a failure in a handshake.
[[nodiscard]] int handshake_errno(OM_uint32 major, OM_uint32 minor) noexcept;

}  // namespace tsock::inline v0::gssapi
