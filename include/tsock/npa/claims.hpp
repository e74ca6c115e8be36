#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tsock::inline v0::detail {

/// Claims of one kind.
struct ClaimList {
  std::uint32_t count = 0;
  std::vector<std::uint32_t> words{};  ///< of the claims, with offsets into their data, to which 1 is added
  friend bool operator==(const ClaimList&, const ClaimList&) = default;
};

}  // namespace tsock::inline v0::detail

namespace tsock::inline v0::npa {

/// The claims of a security token: what a domain says of its user and of the computer in use, and rules
/// of access may ask for (MS-DTYP 2.4.10.1). They are kept as they came, and are sent so; what they
/// say is not looked at, and they cannot be built.
class Claims {
 public:
  enum class Kind : std::uint8_t { local, user, device };

  [[nodiscard]] std::uint32_t count(Kind kind) const noexcept {
    return lists_[static_cast<std::size_t>(kind)].count;
  }
  [[nodiscard]] bool empty() const noexcept {
    return count(Kind::local) == 0 && count(Kind::user) == 0 && count(Kind::device) == 0;
  }
  friend bool operator==(const Claims&, const Claims&) = default;

 private:
  friend struct ClaimsCodec;
  std::array<detail::ClaimList, 3> lists_{};
  std::vector<std::byte> data_{};  ///< names and values
};

}  // namespace tsock::inline v0::npa
