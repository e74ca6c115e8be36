#pragma once

#include <cstdint>

namespace tsock::inline v0::tls {

/// Versions of the protocol; older ones are not supported.
enum class Version : std::uint8_t { tls1_2, tls1_3 };

}  // namespace tsock::inline v0::tls
