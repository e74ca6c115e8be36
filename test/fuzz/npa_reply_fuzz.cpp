// Replies of NPA: what is read is written as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "npa/message.hpp"
#include "npa/reply.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tsock::npa;
  std::string reason;
  const std::span<const std::byte> message = std::as_bytes(std::span(data, size));
  std::span<const std::byte> body;
  if (read_message_body(message, body, reason) != 0 && reason.empty()) std::abort();
  // Whatever its length says: few inputs would go on otherwise.
  if (message.size() < message_length_size) return 0;
  body = message.subspan(message_length_size);
  for (const Level level : {Level::level7, Level::level8}) {
    Reply reply;
    if (decode_reply(body, level, reply, reason) != 0) {
      if (reason.empty() || reply != Reply{}) std::abort();
      continue;
    }
    static_cast<void>(reply.status.to_string());
    const auto sent = encode_reply(reply, level);
    Reply again;
    std::span<const std::byte> body_again;
    if (read_message_body(sent, body_again, reason) != 0 ||
        decode_reply(body_again, level, again, reason) != 0 || again != reply)
      std::abort();
  }
  return 0;
}
