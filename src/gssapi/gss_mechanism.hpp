#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "gssapi/context.hpp"
#include "layer/mechanism.hpp"

namespace tsock::inline v0::gssapi {

/// The tokens of a context, for `layer::authenticate()`.
class GssMechanism final : public layer::Mechanism {
 public:
  GssMechanism(std::unique_ptr<Context> context, const MessageOptions& options) noexcept
      : context_(std::move(context)), options_(options) {}

  [[nodiscard]] bool begins() const noexcept override { return context_->initiates(); }
  /// Any step may go to the KDC, to a keytab or to a replay cache.
  [[nodiscard]] bool may_block() const noexcept override { return true; }
  int step(std::span<const std::byte> token, std::vector<std::byte>& answer, bool& answers) noexcept override;
  [[nodiscard]] std::string_view reason() const noexcept override {
    return context_ != nullptr ? context_->reason() : std::string_view();
  }
  std::unique_ptr<layer::Codec> codec(layer::RecordEngine::Format& format) override;

 private:
  std::unique_ptr<Context> context_;
  MessageOptions options_;
};

}  // namespace tsock::inline v0::gssapi
