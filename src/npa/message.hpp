#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "npa/ndr.hpp"

// What requests and replies have in common: a length in network order that does not count itself, then the
// body, which begins with a magic and the level, twice.
namespace tsock::inline v0::npa {

constexpr std::size_t message_length_size = 4;
constexpr std::uint32_t shortest_message = 8;
constexpr std::uint32_t longest_message = 0x00FFFFFF;

/// The length of the body, out of the first bytes. \return 0, or EMSGSIZE, with the reason: a length below
/// `shortest_message` or above `longest_message`
int read_message_length(std::span<const std::byte, message_length_size> bytes, std::size_t& length,
                        std::string& reason) noexcept;

/// The body of a whole message. \return 0, or an errno value, with the reason: as above, and EPROTO for
/// another number of bytes than the length says
int read_message_body(std::span<const std::byte> message, std::span<const std::byte>& body,
                      std::string& reason) noexcept;

/// Reads magic and level. \return 0, or an errno value: EPROTONOSUPPORT, EPROTO; the reader has failed then
int read_message_head(NdrReader& reader, std::uint32_t& level) noexcept;

/// Writes length, magic and level.
void write_message_head(NdrWriter& writer, std::size_t body_size, std::uint32_t level) noexcept;

}  // namespace tsock::inline v0::npa
