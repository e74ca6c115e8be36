#pragma once

#include <tsock/stream.hpp>

namespace tsock::inline v0 {

/// The engine behind a Stream, for operations of the library that use it directly.
class StreamAccess {
 public:
  [[nodiscard]] static detail::StreamCore* core(const Stream& stream) noexcept {
    return stream.place_.engine();
  }
  /// Makes a Stream for an engine that has none.
  [[nodiscard]] static Stream make(detail::StreamCore& engine) noexcept {
    Stream stream;
    stream.place_ = detail::EnginePlace(engine);
    return stream;
  }
  [[nodiscard]] static Loop* loop(const Stream& stream) noexcept { return stream.loop_or_null(); }
};

}  // namespace tsock::inline v0
