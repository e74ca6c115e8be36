#pragma once

#include <cstdint>

namespace tsock::inline v0::npa {

/// Versions of the protocol. Samba up to 4.17 or so takes level 7, Samba 4.22 level 8, each nothing else; a
/// peer of another level closes without an answer.
enum class Level : std::uint32_t { level7 = 7, level8 = 8 };

}  // namespace tsock::inline v0::npa
