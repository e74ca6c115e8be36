#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

namespace tsock::inline v0 {

class Loop;

/// How a TraceWriter writes.
struct TraceWriterOptions {
  std::string process_name = {};  ///< shown as the name of the process
  std::uint32_t process_id = 1;   ///< tells the traces of several processes apart in one view
  /// Bytes that may wait for a slow output. A span for which there is no room is dropped and counted.
  std::size_t most_buffered = std::size_t{4} << 20;
  /// Requests in progress that are followed at a time; further ones are dropped and counted.
  std::size_t most_followed = 100'000;
};

/// What a TraceWriter has done so far.
struct TraceWriterCounts {
  std::uint64_t spans = 0;    ///< requests in the trace
  std::uint64_t dropped = 0;  ///< requests left out, see TraceWriterOptions
  int error = 0;              ///< what has ended the writing: of the output, or 0
};

/// Writes the requests of a loop as a trace that Perfetto (ui.perfetto.dev) and Chrome show: Trace Event
/// Format, a JSON array with a line for each event.
///
/// Each request is a span from its start to its callback, with file and line, bytes, errno name, reason. A
/// span lies inside that of its parent. Each stream, socket and listener has a track of its own (`tid`). A
/// span is written when it ends; those of requests still in progress are written by `stop()`. A request that
/// was in progress before the trace has a span from the begin of the trace.
///
/// The output may be any Stream: a file (`open_file()`), a pipe, a socket. Nothing blocks, and a writer does
/// not keep `Loop::run()` from returning. An output that was cut off after a line is still a trace for both
/// viewers; `]` makes it valid JSON. While none is on, no request costs more.
class TSOCK_EXPORT TraceWriter {
 public:
  /// Is off.
  TraceWriter() noexcept;
  /// Begins. `out` must be open, and is closed at the end. Throws std::bad_alloc if there is no memory.
  explicit TraceWriter(Stream out, const TraceWriterOptions& options = {});
  TraceWriter(TraceWriter&& other) noexcept;
  TraceWriter& operator=(TraceWriter&& other) noexcept;
  TraceWriter(const TraceWriter&) = delete;
  TraceWriter& operator=(const TraceWriter&) = delete;
  /// Ends at once: what waits is not written. Not to be called by a trace function.
  ~TraceWriter();

  /// True until `stop()`, an error of the output, or the end of the loop.
  [[nodiscard]] bool is_on() const noexcept;
  [[nodiscard]] TraceWriterCounts counts() const noexcept;
  /// Ends the trace: writes what waits, the spans of requests in progress, and the end of the array; then
  /// disconnects the output. An empty Request if the writer was never on. Errors:
  ///  - EALREADY: it was stopped before
  ///  - what the output gave, also earlier
  ///  - ECANCELED: the writer was destroyed meanwhile
  Request<void> stop(CallSite site = CallSite::current());

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tsock::inline v0
