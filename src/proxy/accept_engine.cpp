#include "proxy/accept_engine.hpp"

#include <cerrno>
#include <new>
#include <utility>

#include "proxy/addressed_backend.hpp"

namespace tsock::inline v0::proxy {

layer::Step AcceptEngine::handshake(layer::ByteBlock& in, bool at_end, layer::ByteBlock& /*out*/) noexcept
    try {
  if (header_) return {};
  Header header;
  const ParsedHeader parsed = parse_header(in.bytes(), header, most_v2_);
  const bool is_optional = presence_ == AcceptOptions::Presence::optional;
  if (parsed.err == ENOMSG && is_optional) return {};
  if (parsed.err != 0) return fail(parsed.err, parsed.reason);
  if (parsed.input == 0) {
    in.take(parsed.size);
    header_ = std::move(header);
    return {};
  }
  if (!at_end) return {.input = parsed.input};
  if (in.empty()) {
    // One that has come and gone: with an optional header the user sees the end.
    if (is_optional) return {};
    return fail(EPIPE, "the peer has closed without a PROXY header");
  }
  // Too short to be one, so it is something else.
  if (is_optional && !parsed.is_begun) return {};
  return fail(EPROTO, "the peer has closed in the middle of the PROXY header");
} catch (const std::bad_alloc&) {
  return {.err = ENOMEM};
}

std::unique_ptr<StreamBackend> AcceptEngine::replace(std::unique_ptr<StreamBackend> below,
                                                     std::span<const std::byte>& /*unread*/) {
  if (!header_) return below;
  if (below->socket_control() != nullptr)
    return std::make_unique<AddressedSocket>(std::move(below), *header_);
  return std::make_unique<AddressedStream>(std::move(below), *header_);
}

}  // namespace tsock::inline v0::proxy
