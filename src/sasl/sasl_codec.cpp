#include "sasl/sasl_codec.hpp"

#include <cerrno>

namespace tsock::inline v0::sasl {

int SaslCodec::unwrap(std::span<std::byte> message, layer::ByteBlock& plain) noexcept {
  std::span<const std::byte> opened;
  const int err = session_->decode(message, opened);
  if (err == EBADMSG) reason_ = "a message of the security layer was changed, repeated or left out";
  if (err != 0) return err;
  return plain.append(opened) ? 0 : ENOMEM;
}

int SaslCodec::wrap(std::span<const std::byte> plain, layer::ByteBlock& out) noexcept {
  std::span<const std::byte> message;
  const int err = session_->encode(plain, message);
  if (err == EIO) reason_ = "the mechanism cannot protect a message";
  if (err != 0) return err;
  return out.append(message) ? 0 : ENOMEM;
}

}  // namespace tsock::inline v0::sasl
