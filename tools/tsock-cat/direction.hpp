#pragma once

#include <cstdint>

namespace tsock_cat {

/// Which way bytes went: `sent` is from standard input, or the first of two ADDRESSes, to the other side.
enum class Direction : std::uint8_t { sent, received };

}  // namespace tsock_cat
