#include "npa/message.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>

namespace tsock::inline v0::npa {

namespace {

constexpr std::array<std::byte, 4> magic{std::byte{'N'}, std::byte{'P'}, std::byte{'A'}, std::byte{'M'}};

}  // namespace

int read_message_length(std::span<const std::byte, message_length_size> bytes, std::size_t& length,
                        std::string& reason) noexcept try {
  length = 0;
  for (const std::byte byte : bytes) length = length << 8U | std::to_integer<std::size_t>(byte);
  if (length >= shortest_message && length <= longest_message) return 0;
  reason = "length: " + std::to_string(length) + " is not between 8 and 16777215";
  return EMSGSIZE;
} catch (...) {
  return ENOMEM;
}

int read_message_body(std::span<const std::byte> message, std::span<const std::byte>& body,
                      std::string& reason) noexcept try {
  if (message.size() < message_length_size) {
    reason = "length: the message ends here";
    return EPROTO;
  }
  std::size_t length = 0;
  if (const int err = read_message_length(message.first<message_length_size>(), length, reason); err != 0)
    return err;
  body = message.subspan(message_length_size);
  if (body.size() == length) return 0;
  reason = body.size() < length ? "length: the message is shorter" : "length: bytes follow the message";
  return EPROTO;
} catch (...) {
  return ENOMEM;
}

int read_message_head(NdrReader& reader, std::uint32_t& level) noexcept {
  for (const std::byte expected : magic) {
    const std::uint8_t byte = reader.u8("magic");
    if (reader.failed()) return EPROTO;
    if (std::byte{byte} == expected) continue;
    reader.fail("magic", "not NPAM");
    return EPROTONOSUPPORT;
  }
  level = reader.u32("level");
  if (reader.failed()) return EPROTO;
  if (level != 7 && level != 8) {
    reader.fail("level", "neither 7 nor 8");
    return EPROTONOSUPPORT;
  }
  if (reader.u32("level") != level) reader.fail("level", "not the same both times");
  return reader.failed() ? EPROTO : 0;
}

void write_message_head(NdrWriter& writer, std::size_t body_size, std::uint32_t level) noexcept {
  for (unsigned shift = 32; shift != 0; shift -= 8)
    writer.u8(static_cast<std::uint8_t>(body_size >> (shift - 8)));
  writer.bytes(magic);
  writer.u32(level);
  writer.u32(level);
}

}  // namespace tsock::inline v0::npa
