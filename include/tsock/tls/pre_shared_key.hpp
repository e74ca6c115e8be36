#pragma once

#include <cstddef>
#include <string>
#include <tsock/export.hpp>
#include <utility>
#include <vector>

namespace tsock::inline v0::tls {

/// A key that both sides have had before, for those who have no certificates: RFC 4279 with TLS 1.2, and the
/// external keys of RFC 8446 with TLS 1.3 (SHA-256). It needs enough entropy to resist guessing: 16 random
/// bytes or more, not a password.
struct TSOCK_EXPORT PreSharedKey {
  std::string identity = {};        ///< the key's name, which is sent in the clear; at most 128 bytes
  std::vector<std::byte> key = {};  ///< at most 256 bytes; none: there is no such key

  PreSharedKey() = default;
  PreSharedKey(std::string name, std::vector<std::byte> bytes)
      : identity(std::move(name)), key(std::move(bytes)) {}
  PreSharedKey(const PreSharedKey&) = default;
  PreSharedKey(PreSharedKey&&) noexcept = default;
  PreSharedKey& operator=(const PreSharedKey& other);
  PreSharedKey& operator=(PreSharedKey&& other) noexcept;
  /// Wipes the key.
  ~PreSharedKey();
};

}  // namespace tsock::inline v0::tls
