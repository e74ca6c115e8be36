#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>

namespace tsock {

/// Marks on the bytes that wait to be written on a stream, in queues and in the stream itself.
struct WriteWatermarks {
  std::size_t high = std::size_t{1} << 20;   ///< at or above: tell the producer to stop
  std::size_t low = std::size_t{256} << 10;  ///< at or below, after `high`: tell it to go on
  /// A write that would bring the bytes above this fails with ENOBUFS; nothing of it is sent.
  std::size_t cap = std::numeric_limits<std::size_t>::max();
};

/// Which mark was passed.
enum class Watermark : std::uint8_t { high, low };

/// Called from the loop, never inside a write.
using WatermarkFunction = std::function<void(Watermark)>;

}  // namespace tsock
