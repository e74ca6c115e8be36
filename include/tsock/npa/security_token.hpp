#pragma once

#include <cstdint>
#include <tsock/export.hpp>
#include <tsock/npa/claims.hpp>
#include <tsock/npa/sid.hpp>
#include <vector>

namespace tsock::inline v0::npa {

/// What somebody is on Windows (security_token). It has one SID at least: a peer may not survive one without.
struct TSOCK_EXPORT SecurityToken {
  std::vector<Sid> sids{};       ///< the user first, then the groups; at most 65536
  std::uint64_t privileges = 0;  ///< a bit for each privilege (se_privilege)
  std::uint32_t rights = 0;      ///< a bit for each way to log on (lsa_SystemAccessModeFlags)

  // Level 8 only.
  Claims claims{};                    ///< as they came from a peer
  std::vector<Sid> device_sids{};     ///< the computer and its groups; at most 65536
  std::uint16_t evaluate_claims = 0;  ///< whether, and against what, claims are evaluated

  [[nodiscard]] bool has(const Sid& sid) const noexcept;
  /// The SIDs without Samba's notes; see `Sid::is_samba_note()`. Throws std::bad_alloc.
  [[nodiscard]] std::vector<Sid> identities() const;

  friend bool operator==(const SecurityToken&, const SecurityToken&) = default;
};

}  // namespace tsock::inline v0::npa
