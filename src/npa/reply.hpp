#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <tsock/npa/level.hpp>
#include <tsock/npa/reply.hpp>

namespace tsock::inline v0::npa {

constexpr std::size_t reply_size = 36;

/// The whole message, with its length in front.
[[nodiscard]] std::array<std::byte, reply_size> encode_reply(const Reply& reply, Level level) noexcept;

/// Reads the body of a reply, which is what follows the length. A reply that refuses is one that was read.
/// \param level that the request had \return 0, or an errno value, with the reason, which names the field,
/// and the reply as it was:
///  - EPROTONOSUPPORT: another magic or level
///  - EPROTO: anything else that is wrong with it
///  - ENOMEM
int decode_reply(std::span<const std::byte> body, Level level, Reply& reply, std::string& reason) noexcept;

}  // namespace tsock::inline v0::npa
