#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "layer/mechanism.hpp"

namespace tsock::test {

/// What a ToyMechanism protects with: each message has a number, its bytes are inverted, and a sum over both
/// stands in front. So a message that was changed, repeated, dropped or moved is seen.
class ToyCodec final : public layer::Codec {
 public:
  static constexpr std::size_t longest = 100;

  int unwrap(std::span<std::byte> body, layer::ByteBlock& plain) noexcept override;
  int wrap(std::span<const std::byte> plain, layer::ByteBlock& out) noexcept override;
  [[nodiscard]] std::size_t most_plain() const noexcept override { return longest; }
  [[nodiscard]] std::string_view reason() const noexcept override { return reason_; }

 private:
  std::uint8_t received_ = 0;
  std::uint8_t sent_ = 0;
  std::string_view reason_;
};

/// An authentication that proves nothing: the sides tell each other the number of each token, as text, and
/// the side that has heard the last one protects what follows with a ToyCodec.
class ToyMechanism final : public layer::Mechanism {
 public:
  struct Kind {
    unsigned tokens = 3;  ///< of both sides together
    bool protects = true;
    bool may_block = false;
    std::string padding = {};  ///< behind the number, in each token
    /// Runs in each step, with the number of tokens that have gone by. An errno value other than 0 fails it.
    std::function<int(unsigned token)> on_step = {};
    bool explains = true;  ///< a failed step has an answer: "no"
  };
  ToyMechanism(bool begins, Kind kind) : kind_(std::move(kind)), begins_(begins) {}

  [[nodiscard]] bool begins() const noexcept override { return begins_; }
  [[nodiscard]] bool may_block() const noexcept override { return kind_.may_block; }
  int step(std::span<const std::byte> token, std::vector<std::byte>& answer, bool& answers) noexcept override;
  [[nodiscard]] std::string_view reason() const noexcept override { return reason_; }
  std::unique_ptr<layer::Codec> codec(layer::RecordEngine::Format& format) override;

 private:
  [[nodiscard]] std::string text_of_token(unsigned number) const;

  Kind kind_;
  bool begins_;
  unsigned tokens_ = 0;  // sent and received
  std::string_view reason_;
};

}  // namespace tsock::test
