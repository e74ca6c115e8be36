#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "gssapi/context.hpp"
#include "layer/codec.hpp"

namespace tsock::inline v0::gssapi {

/// Messages of an established context, for the engine of a stream.
class GssCodec final : public layer::Codec {
 public:
  GssCodec(std::unique_ptr<Context> context, const MessageOptions& options) noexcept;

  int unwrap(std::span<std::byte> body, layer::ByteBlock& plain) noexcept override;
  int wrap(std::span<const std::byte> plain, layer::ByteBlock& out) noexcept override;
  [[nodiscard]] std::size_t most_plain() const noexcept override { return most_plain_; }
  [[nodiscard]] std::string_view reason() const noexcept override { return context_->reason(); }
  [[nodiscard]] const Context& context() const noexcept { return *context_; }

 private:
  std::unique_ptr<Context> context_;
  std::size_t most_plain_;
  bool checks_lifetime_;
};

}  // namespace tsock::inline v0::gssapi
