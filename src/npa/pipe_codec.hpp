#pragma once

#include <cstddef>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tsock/layer/engine.hpp>
#include <tsock/npa/accept.hpp>
#include <tsock/npa/identity.hpp>
#include <tsock/npa/level.hpp>
#include <tsock/npa/reply.hpp>
#include <tsock/npa/secret_bytes.hpp>
#include <utility>

#include "layer/codec.hpp"

namespace tsock::inline v0::npa {

/// What both sides of NPA have in common: one request and one reply, then messages as they are, or no layer
/// at all.
class PipeCodec : public layer::Codec {
 public:
  static constexpr std::size_t longest_data = 65535;

  int unwrap(std::span<std::byte> /*body*/, layer::ByteBlock& /*plain*/) noexcept final { return ENOTSUP; }
  int wrap(std::span<const std::byte> /*plain*/, layer::ByteBlock& /*out*/) noexcept final { return ENOTSUP; }
  [[nodiscard]] std::size_t most_plain() const noexcept final { return longest_data; }
  [[nodiscard]] std::string_view reason() const noexcept final { return reason_; }
  [[nodiscard]] bool is_transparent() const noexcept final { return reply_.file_type == FileType::byte_mode; }

  [[nodiscard]] Level level() const noexcept { return level_; }
  [[nodiscard]] const Reply& reply() const noexcept { return reply_; }
  /// Of a client that was accepted.
  [[nodiscard]] virtual const Identity* identity() const noexcept { return nullptr; }

 protected:
  explicit PipeCodec(Level level) noexcept : level_(level) {}
  int refuse(const char* who) noexcept;

  Level level_;
  Reply reply_;
  std::string reason_;
};

class ClientCodec final : public PipeCodec {
 public:
  /// \param request as encode_request() gives it
  ClientCodec(SecretBytes request, Level level) noexcept : PipeCodec(level), request_(std::move(request)) {}
  int handshake(std::span<std::byte> message, layer::ByteBlock& out, bool& answers) noexcept override;
  [[nodiscard]] bool begins() const noexcept override { return true; }
  [[nodiscard]] std::string_view reason_of_silence() const noexcept override;

 private:
  SecretBytes request_;
};

class ServerCodec final : public PipeCodec {
 public:
  explicit ServerCodec(const AcceptOptions& options) : PipeCodec(Level::level8), options_(options) {}
  int handshake(std::span<std::byte> message, layer::ByteBlock& out, bool& answers) noexcept override;
  [[nodiscard]] bool begins() const noexcept override { return false; }
  [[nodiscard]] const Identity* identity() const noexcept override { return &identity_; }

 private:
  int judge() noexcept;

  AcceptOptions options_;
  Identity identity_;
};

/// What a server's silence means.
extern const std::string_view silent_server;

[[nodiscard]] std::unique_ptr<layer::Engine> make_engine(std::unique_ptr<ClientCodec> codec,
                                                         std::pmr::memory_resource& memory);
[[nodiscard]] std::unique_ptr<layer::Engine> make_engine(std::unique_ptr<ServerCodec> codec,
                                                         std::pmr::memory_resource& memory);

}  // namespace tsock::inline v0::npa
