// Requests of NPA: what is read can be sent, and is understood again as the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "npa/message.hpp"
#include "npa/request.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tsock::npa;
  std::string reason;
  const std::span<const std::byte> message = std::as_bytes(std::span(data, size));
  std::span<const std::byte> body;
  if (read_message_body(message, body, reason) != 0 && reason.empty()) std::abort();
  // Whatever its length says: few inputs would go on otherwise.
  if (message.size() < message_length_size) return 0;
  body = message.subspan(message_length_size);
  Identity identity;
  Level level{};
  if (decode_request(body, std::nullopt, identity, level, reason) != 0) {
    if (reason.empty() || identity != Identity{}) std::abort();
    return 0;
  }
  static_cast<void>(identity.to_string());
  SecretBytes sent;
  if (encode_request(identity, level, sent, reason) != 0) std::abort();
  Identity again;
  Level level_again{};
  if (read_message_body(sent.bytes(), body, reason) != 0 ||
      decode_request(body, level, again, level_again, reason) != 0 || again != identity ||
      level_again != level)
    std::abort();
  return 0;
}
