#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>

namespace tsock::inline v0 {

/// What happened to a request.
enum class TraceKind : std::uint8_t {
  started,    ///< the operation exists
  finished,   ///< it has its result; the callback is due
  delivered,  ///< the callback is about to run
  abandoned,  ///< its Request was destroyed before delivery
  cancelled,  ///< `cancel()` was called
};

/// One step in the life of a request, for `Loop::set_trace()`. Valid only during the call.
struct TraceEvent {
  TraceKind kind;
  std::uint64_t id;         ///< unique in the loop
  std::uint64_t parent_id;  ///< the composite operation it belongs to, or 0
  const char* name;         ///< what kind of operation, such as "writev"
  CallSite site;            ///< where it was started
  int error;                ///< errno value once finished, else 0
  std::size_t transferred;  ///< bytes so far
  std::string_view reason;  ///< why it failed, in words, where `error` is too little; else empty
};

/// Called on the loop's thread for every step. It must not start, cancel or destroy anything of tsock, except
/// that it may set another trace function or none, and destroy the Loop. The end of the Loop follows the
/// step; of a Loop that does not run, with the next of its requests, streams and other objects that is
/// destroyed. An exception stops the loop and leaves `Loop::run()`, as from a callback; the request goes on.
using TraceFunction = std::function<void(const TraceEvent&)>;

/// "started", "finished" and so on.
[[nodiscard]] TSOCK_EXPORT std::string_view trace_kind_name(TraceKind kind) noexcept;

}  // namespace tsock::inline v0
