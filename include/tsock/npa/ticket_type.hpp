#pragma once

#include <cstdint>

namespace tsock::inline v0::npa {

/// What Kerberos ticket a session was authenticated with; a peer may send other values.
enum class TicketType : std::uint16_t { unknown = 0, tgt = 1, non_tgt = 2 };

}  // namespace tsock::inline v0::npa
