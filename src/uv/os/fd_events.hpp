#pragma once

#include <cstdint>

namespace tsock::inline v0::os {

/// What the system tells about a descriptor, and what it is asked for; a set of bits.
using FdEvents = std::uint8_t;
inline constexpr FdEvents readable = 1;
inline constexpr FdEvents writable = 2;
inline constexpr FdEvents hang_up = 4;  ///< the peer ended its side
inline constexpr FdEvents failed = 8;   ///< an error is pending; told without being asked for

}  // namespace tsock::inline v0::os
