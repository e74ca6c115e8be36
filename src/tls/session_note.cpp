#include "tls/session_note.hpp"

#include <algorithm>
#include <new>
#include <vector>

namespace tsock::inline v0::tls {

// The size of the binding in one byte, the binding, and the rest is the identity.
std::optional<SessionNote> SessionNote::of(const SSL& ssl) noexcept {
  SSL_SESSION* const session = SSL_get_session(&ssl);
  void* data = nullptr;
  std::size_t size = 0;
  if (session == nullptr || SSL_SESSION_get0_ticket_appdata(session, &data, &size) != 1 || size == 0)
    return std::nullopt;
  const std::span bytes(static_cast<const std::byte*>(data), size);
  const auto binding_size = std::min(std::to_integer<std::size_t>(bytes.front()), size - 1);
  const auto identity = bytes.subspan(1 + binding_size);
  return SessionNote{
      .binding = bytes.subspan(1, binding_size),
      .psk_identity = {reinterpret_cast<const char*>(identity.data()), identity.size()},
  };
}

bool SessionNote::put(SSL& ssl) const noexcept {
  try {
    const auto identity = std::as_bytes(std::span(psk_identity));
    std::vector<std::byte> bytes;
    bytes.reserve(1 + binding.size() + identity.size());
    bytes.push_back(static_cast<std::byte>(binding.size()));
    bytes.insert(bytes.end(), binding.begin(), binding.end());
    bytes.insert(bytes.end(), identity.begin(), identity.end());
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(&ssl), bytes.data(), bytes.size()) == 1;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace tsock::inline v0::tls
