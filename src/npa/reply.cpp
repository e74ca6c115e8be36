#include "npa/reply.hpp"

#include <cerrno>
#include <cstdint>

#include "npa/message.hpp"
#include "npa/ndr.hpp"

namespace tsock::inline v0::npa {

std::array<std::byte, reply_size> encode_reply(const Reply& reply, Level level) noexcept {
  std::array<std::byte, reply_size> message{};
  NdrWriter writer(message);
  write_message_head(writer, reply_size - message_length_size, static_cast<std::uint32_t>(level));
  writer.u16(static_cast<std::uint16_t>(reply.file_type));
  writer.u16(reply.device_state);
  writer.u64(reply.allocation_size);
  writer.u32(reply.status.value);
  return message;
}

int decode_reply(std::span<const std::byte> body, Level level, Reply& reply, std::string& reason) noexcept
    try {
  NdrReader reader(body, message_length_size);
  std::uint32_t answered = 0;
  int err = read_message_head(reader, answered);
  if (err == 0 && answered != static_cast<std::uint32_t>(level)) {
    reader.fail("level", "not that of the request");
    err = EPROTONOSUPPORT;
  }
  Reply read;
  read.file_type = static_cast<FileType>(reader.u16("file_type"));
  read.device_state = reader.u16("device_state");
  read.allocation_size = reader.u64("allocation_size");
  read.status.value = reader.u32("status");
  reader.end();
  // One that refuses may say anything of the pipe that there is not.
  if (read.status.is_ok() && read.file_type != FileType::byte_mode &&
      read.file_type != FileType::message_mode)
    reader.fail("file_type", "neither byte mode nor message mode");
  if (reader.failed()) {
    reason = reader.reason();
    return err != 0 ? err : EPROTO;
  }
  reply = read;
  return 0;
} catch (...) {
  return ENOMEM;
}

}  // namespace tsock::inline v0::npa
