#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <tsock/npa/identity.hpp>
#include <tsock/npa/level.hpp>
#include <tsock/npa/secret_bytes.hpp>

namespace tsock::inline v0::npa {

constexpr std::uint32_t most_sids = 65536;
constexpr std::uint32_t most_groups = 65536;

/// Writes the whole message, with its length in front; its first four bytes may be left away where something
/// else writes the length. \return 0, or an errno value, with the reason, and nothing in `message`:
///  - EINVAL: an identity without a SID, a text that is not UTF-8 or has a NUL, an address that is not IP,
///  too
///    many SIDs or groups
///  - EMSGSIZE: longer than a message can be
///  - ENOMEM
int encode_request(const Identity& identity, Level level, SecretBytes& message, std::string& reason) noexcept;

/// Reads the body of a request, which is what follows the length. \param only the one level to accept; none:
/// both \return 0, or an errno value, with the reason, which names the field, and the identity as it was:
///  - EPROTONOSUPPORT: another magic or level
///  - ENOTSUP: claims of an unknown type, or in another order than Samba's
///  - EPROTO: anything else that is wrong with it
///  - ENOMEM
int decode_request(std::span<const std::byte> body, std::optional<Level> only, Identity& identity,
                   Level& level, std::string& reason) noexcept;

}  // namespace tsock::inline v0::npa
