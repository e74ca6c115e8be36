#pragma once

#include <chrono>
#include <memory_resource>

namespace tsock::inline v0 {

/// How a Loop is set up.
struct LoopOptions {
  /// What the loop's pool takes its memory from and returns it to: that of requests, streams and all else
  /// that belongs to an operation, of messages, and of bytes that are kept unread. Null: the heap. It is
  /// called on the loop's thread alone, and must live until the Loop and everything that was made on it are
  /// gone: a Pdu may be the last. An exception from it, whatever its type, is std::bad_alloc to the loop,
  /// which is ENOMEM to a request. Other memory stays on the heap: buffers that all streams share, the rest
  /// of a message of a socket with borders, functions that were posted, what worker threads and libuv need.
  std::pmr::memory_resource* memory = nullptr;
  /// A loop in which nothing happens for so long calls `Loop::trim()` by itself, once a peak has left at
  /// least a MiB of which three quarters are free. `max()`: never. A loop that never rests does not, as a
  /// call holds it up (7 MB of 18,000 closed connections: 4 ms), nor does one that libuv runs
  /// (`native_handle()`, or a borrowed loop), nor one of a system without epoll.
  std::chrono::milliseconds trim_after{1000};
};

}  // namespace tsock::inline v0
