#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>

namespace tsock::inline v0 {

/// Marks on the bytes waiting to be written on a stream, in queues and in the stream itself.
struct WriteWatermarks {
  std::size_t high = std::size_t{1} << 20;   ///< at or above: the producer should stop
  std::size_t low = std::size_t{256} << 10;  ///< at or below, after `high`: it may continue
  /// A write that would exceed this fails with ENOBUFS; none of it is sent.
  std::size_t cap = std::numeric_limits<std::size_t>::max();
};

/// The mark that was passed.
enum class Watermark : std::uint8_t { high, low };

/// Called from the loop, never inside a write.
using WatermarkFunction = std::function<void(Watermark)>;

}  // namespace tsock::inline v0
