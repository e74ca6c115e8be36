#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <ostream>
#include <tsock/stream.hpp>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"

namespace tsock::test {

/// What a backend can do; the tests ask for what they need.
struct BackendTraits {
  bool buffers = true;     ///< a write completes without a reader, as long as the buffers have room
  bool fills = true;       ///< the buffers have an end: a write that nobody reads waits there
  bool half_close = true;  ///< `shutdown_write()` works
  bool half_close_needs_reader = false;  ///< it completes when the peer has read it
  bool sees_half_close = true;           ///< a monitor does; a layer's is a message, which has to be read
  bool reset = true;                     ///< `abort()` gives the peer ECONNRESET, also when nothing is unread
  bool late_reset =
      false;               ///< after the peer has closed, a write may still succeed before the next one fails
  bool lingers = true;     ///< `disconnect()` waits for the peer's end where closing could cut something off
  bool socket = true;      ///< there is a descriptor below
  bool descriptor = true;  ///< `native_handle()` tells it
  bool read_ahead = true;  ///< a reader may take more than it asked for
  bool tells_unread = true;  ///< `pending_bytes()` and a monitor see what nobody has read from the system
  bool in_thread = false;    ///< a worker thread waits for bytes, and tells the loop when it has them
  unsigned floors = 0;      ///< layers, each of which takes records in one piece, and up to 64 KiB to be sent
  std::size_t goodbye = 0;  ///< bytes of a layer's goodbye, as the floor counts them
  std::size_t max_transfer = std::numeric_limits<std::size_t>::max();  ///< bytes that can move at once
  /// Not the largest number: each write is a message, of at most that many bytes, which is taken whole.
  std::size_t longest_write = std::numeric_limits<std::size_t>::max();
  /// The longest messages that the buffers take, before one waits that is as long.
  std::size_t messages_that_fit = 0;

  /// `shutdown_write()` completes though the peer reads nothing.
  [[nodiscard]] constexpr bool half_closes_alone() const noexcept {
    return half_close && !half_close_needs_reader;
  }
  /// What is blocked has left in part: it is neither all there nor all out.
  [[nodiscard]] constexpr bool takes_parts() const noexcept {
    return longest_write == std::numeric_limits<std::size_t>::max();
  }
  /// A size of a write that the backend allows.
  [[nodiscard]] constexpr std::size_t at_most(std::size_t size) const noexcept {
    return size < longest_write ? size : longest_write;
  }
};

/// One way to have two connected streams, of which the first is tested. The contract is tested over each of
/// them.
struct Backend {
  const char* name;
  std::function<std::pair<Stream, Stream>(LoopFixture&)> make;
  BackendTraits traits;
  bool repeats = false;  ///< a path through the library that another one of the list takes, too

  friend std::ostream& operator<<(std::ostream& out, const Backend& backend) { return out << backend.name; }
};

/// What the contract is tested over.
struct BackendsUnderTest {
  std::vector<Backend> both_ways;
  std::vector<Backend> only_read =
      {};  ///< whose first stream can only be read, and whose second only written
  std::vector<Backend> only_written = {};  ///< the other way round
};
/// Defined by the program that runs the suite (tsock::conformance); in the library's own, see backends.cpp.
[[nodiscard]] BackendsUnderTest backends_under_test();

/// Every backend that goes both ways.
[[nodiscard]] const std::vector<Backend>& all_backends();
/// Those, and the ones whose first stream can only be read and whose second can only be written.
[[nodiscard]] const std::vector<Backend>& reading_backends();
/// The other way round.
[[nodiscard]] const std::vector<Backend>& writing_backends();

/// One backend for each path through the library, for suites that take long: how its descriptor was made does
/// not matter there.
[[nodiscard]] const std::vector<Backend>& paths();
[[nodiscard]] const std::vector<Backend>& reading_paths();
[[nodiscard]] const std::vector<Backend>& writing_paths();

/// The backends whose traits please the predicate.
template <class Predicate>
[[nodiscard]] std::vector<Backend> backends_with(Predicate predicate,
                                                 const std::vector<Backend>& backends = all_backends()) {
  std::vector<Backend> result;
  for (const Backend& backend : backends) {
    if (predicate(backend.traits)) result.push_back(backend);
  }
  return result;
}
template <class Predicate>
[[nodiscard]] std::vector<Backend> paths_with(Predicate predicate,
                                              const std::vector<Backend>& backends = paths()) {
  return backends_with(predicate, backends);
}

}  // namespace tsock::test
