#pragma once

#include <cstddef>
#include <limits>
#include <tsock/export.hpp>
#include <tsock/stream.hpp>
#include <utility>

namespace tsock::inline v0 {

class Loop;

/// How `memory_stream_pair()` behaves; with the limits a test can split bytes in every possible way.
struct MemoryStreamOptions {
  std::size_t max_transfer =
      std::numeric_limits<std::size_t>::max();  ///< the most bytes that one hand-over moves; 0 counts as 1
  bool half_close = true;   ///< false: `shutdown_write()` gives ENOTSUP, as on streams without half-close
  bool read_ahead = false;  ///< true: a reader may take more than it asked for, as from a socket
};

/// Two connected streams in this process, without a buffer: a write completes when the other side has read
/// its bytes, and nothing moves before both sides want it. Made for tests of protocols: the order of events
/// is exact and no kernel is involved.
TSOCK_EXPORT std::pair<Stream, Stream> memory_stream_pair(Loop& loop,
                                                          const MemoryStreamOptions& options = {});

}  // namespace tsock::inline v0
