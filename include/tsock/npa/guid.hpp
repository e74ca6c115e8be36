#pragma once

#include <array>
#include <compare>
#include <cstddef>

namespace tsock::inline v0::npa {

/// A GUID, as the 16 bytes that travel. A default one is all zeros.
struct Guid {
  std::array<std::byte, 16> bytes{};
  friend bool operator==(const Guid&, const Guid&) = default;
  friend std::strong_ordering operator<=>(const Guid&, const Guid&) = default;
};

}  // namespace tsock::inline v0::npa
