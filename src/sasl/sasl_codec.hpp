#pragma once

#include <memory>
#include <tsock/layer/byte_block.hpp>
#include <utility>

#include "layer/codec.hpp"
#include "layer/record_engine.hpp"
#include "sasl/session_state.hpp"

namespace tsock::inline v0::sasl {

/// The security layer of a finished session, whose messages libsasl2 makes with their length.
class SaslCodec final : public layer::Codec {
 public:
  explicit SaslCodec(std::shared_ptr<SessionState> session) noexcept : session_(std::move(session)) {}
  [[nodiscard]] const SessionState& session() const noexcept { return *session_; }
  [[nodiscard]] static layer::RecordEngine::Format format(const SessionState& session) noexcept {
    return {.data = {.most = session.longest_message()}, .codec_has_lengths = true};
  }

  int unwrap(std::span<std::byte> message, layer::ByteBlock& plain) noexcept override;
  int wrap(std::span<const std::byte> plain, layer::ByteBlock& out) noexcept override;
  [[nodiscard]] std::size_t most_plain() const noexcept override { return session_->peer().most_plain; }
  [[nodiscard]] std::string_view reason() const noexcept override { return reason_; }

 private:
  std::shared_ptr<SessionState> session_;
  std::string_view reason_;
};

}  // namespace tsock::inline v0::sasl
