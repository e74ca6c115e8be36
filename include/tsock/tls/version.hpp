#pragma once

#include <cstdint>

namespace tsock::tls {

/// Versions of the protocol; older ones are not supported.
enum class Version : std::uint8_t { tls1_2, tls1_3 };

}  // namespace tsock::tls
