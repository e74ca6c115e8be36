#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "tls/openssl.hpp"

namespace tsock::inline v0::tls {

/// What a server puts into its sessions, and so into tickets, and needs when one is resumed: OpenSSL keeps
/// the certificate of the client, but not which one the server has shown, nor the name of a pre-shared key.
struct SessionNote {
  std::span<const std::byte> binding;  ///< to the server's certificate; empty if it has shown none
  std::string_view psk_identity;

  /// Of the session of a server's connection; none in one that was not annotated yet. Refers to the session.
  [[nodiscard]] static std::optional<SessionNote> of(const SSL& ssl) noexcept;
  /// \return false without memory
  [[nodiscard]] bool put(SSL& ssl) const noexcept;
};

}  // namespace tsock::inline v0::tls
