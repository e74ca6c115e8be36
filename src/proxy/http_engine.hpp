#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <tsock/proxy/http_connect.hpp>

#include "layer/handshake_engine.hpp"
#include "layer/wiped_bytes.hpp"

namespace tsock::inline v0::proxy {

/// The client's side of CONNECT in HTTP/1.1.
class HttpEngine final : public layer::HandshakeEngine {
 public:
  /// Throws std::bad_alloc. What does not fit the protocol fails the handshake.
  HttpEngine(const Target& target, const HttpOptions& options);

  layer::Step handshake(layer::ByteBlock& in, bool at_end, layer::ByteBlock& out) noexcept override;
  [[nodiscard]] std::string_view reason() const noexcept override { return reason_; }

 private:
  layer::Step fail(int err, std::string_view reason) noexcept;
  layer::Step take_head(std::string_view head) noexcept;
  layer::Step refuse(int status, std::string_view head) noexcept;

  layer::WipedBytes request_;  // empty: sent, or unusable
  std::string reason_;
  std::size_t most_;         // bytes of the reply that may still come
  std::size_t scanned_ = 0;  // without an end
  bool is_usable_ = false;
  bool is_done_ = false;
  bool has_credentials_;
  bool is_interim_ = false;
};

}  // namespace tsock::inline v0::proxy
