#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tsock/detail/request_state.hpp>
#include <tsock/trace.hpp>
#include <tsock/trace_writer.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tsock::inline v0::detail {

/// Makes trace events of the steps of requests: text for the array, in a buffer of bounded size.
///
/// The format nests spans of one category and id (its "async" events), and only if they end in reverse order.
/// So a request whose parent is the last open span of its lane joins that lane, and any other request begins
/// a lane of its own. A parent that ends before its child, because the child goes right after it, is kept
/// until the child has ended.
class TraceSpans {
 public:
  explicit TraceSpans(const TraceWriterOptions& options);

  /// A step of a request. \throws std::bad_alloc
  void step(TraceKind kind, const RequestState& state);
  /// Looks up the streams of requests that have begun since the last call. A request gets its stream after it
  /// has begun, and may have none any more when it has finished.
  void find_tracks();
  /// Ends all spans: of requests in progress, and of others that wait for these.
  void end(const std::vector<const RequestState*>& in_progress);
  /// The text so far, without the part taken before.
  [[nodiscard]] std::string take() { return std::exchange(text_, {}); }
  [[nodiscard]] std::size_t size() const noexcept { return text_.size(); }
  void count_drop() noexcept { ++dropped_; }
  [[nodiscard]] std::uint64_t spans() const noexcept { return spans_; }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  struct Span {
    std::uint64_t lane = 0;
    std::int64_t began = 0;
    std::int64_t finished = 0;
    std::int64_t ended = 0;  // 0 while it is open
    bool was_cancelled = false;
    std::uint64_t track = 0;  // 0 while it is not known
    // Of one that has ended.
    std::string name{};
    std::string arguments{};
  };

  [[nodiscard]] std::int64_t now() noexcept;
  Span* find(TraceKind kind, const RequestState& state);
  Span* begin(const RequestState& state, std::int64_t time);
  void close(const RequestState& state, Span& span, bool is_abandoned, bool is_in_progress);
  void write_ended(std::uint64_t lane);
  void find_track(const RequestState& state, Span& span);
  bool write_metadata(std::string_view what, std::uint64_t track, std::string_view name);
  void tell_drops();
  bool write(std::string_view event);

  TraceWriterOptions options_;
  std::string text_;
  bool is_first_ = true;
  std::int64_t begin_of_trace_ = 0;
  std::int64_t last_ = 0;
  std::uint64_t first_id_ = 0;  // of the requests that began during the trace
  std::unordered_map<std::uint64_t, Span> open_;
  std::vector<const RequestState*> begun_;                               // without a track yet
  std::unordered_map<std::uint64_t, std::vector<std::uint64_t>> lanes_;  // open spans, innermost last
  struct Track {
    std::uint64_t number = 0;
    std::string name{};
  };
  std::unordered_map<const LoopResource*, Track> tracks_;
  std::uint64_t last_track_ = 1;
  std::uint64_t last_named_ = 1;  // in the trace; the name of a track is left out when there is no room
  std::uint64_t spans_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t dropped_told_ = 0;
};

}  // namespace tsock::inline v0::detail
