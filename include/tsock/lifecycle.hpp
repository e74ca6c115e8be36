#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string_view>
#include <tsock/address.hpp>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>

namespace tsock::inline v0 {

/// What happened in the life of a stream.
enum class LifecycleKind : std::uint8_t {
  connected,  ///< a connect has ended, with a stream or an error
  accepted,   ///< an accept has ended, with a stream or an error
  handshake,  ///< the handshake of a layer has ended; with an error, so has the stream
  ended,      ///< the stream is closed
};

/// One step in the life of a stream, for `Loop::set_lifecycle_observer()`. Valid only during the call.
struct LifecycleEvent {
  LifecycleKind kind;
  /// The number of the stream: that of the request (`TraceEvent::id`) by which it was made. A layer takes
  /// over the number of the stream below. 0 when there is no stream.
  std::uint64_t stream;
  /// The operation, such as "connect" or "tls_accept". Of an end how it came: "disconnect", "abort",
  /// "release_socket", "destroyed".
  const char* name;
  CallSite site;  ///< where the operation was started; of an end nowhere
  /// An errno value, or 0. Of an end that of the disconnect, else of what has broken the connection.
  int error;
  std::string_view reason;         ///< why it failed, in words, where `error` is too little; else empty
  Address remote;                  ///< the peer, as far as it is known
  std::chrono::milliseconds time;  ///< how long the operation took; of an end how long the stream lived
};

/// Called on the loop's thread, when a request is about to be delivered or a stream is closed. It must not
/// start, cancel or destroy anything of tsock, except that it may set another function or none, and destroy
/// the Loop. An exception stops the loop and leaves `Loop::run()`, as from a callback.
///
/// A connect or accept whose Request was destroyed is not told. A lifetime that ends with the Loop is not
/// told.
using LifecycleFunction = std::function<void(const LifecycleEvent&)>;

/// "connected", "accepted" and so on.
[[nodiscard]] TSOCK_EXPORT std::string_view lifecycle_kind_name(LifecycleKind kind) noexcept;

}  // namespace tsock::inline v0
