#pragma once

#include <cstdint>
#include <vector>

namespace tsock::inline v0::npa {

/// What somebody is on a Unix system (security_unix_token).
struct UnixToken {
  std::uint64_t uid = 0;
  std::uint64_t gid = 0;
  std::vector<std::uint64_t> groups{};  ///< at most 65536

  friend bool operator==(const UnixToken&, const UnixToken&) = default;
};

}  // namespace tsock::inline v0::npa
