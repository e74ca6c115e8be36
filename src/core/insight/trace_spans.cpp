#include "core/insight/trace_spans.hpp"

#include <algorithm>
#include <limits>
#include <sstream>
#include <tsock/error.hpp>
#include <utility>

#include "core/base/json_writer.hpp"
#include "core/loop/json_dump.hpp"
#include "core/loop/loop_resource.hpp"

namespace tsock::inline v0::detail {

namespace {

constexpr std::uint64_t loop_track = 1;
constexpr std::size_t most_tracks = 10'000;  // remembered; beyond that all begin anew

// Microseconds with three more digits.
std::string time_text(std::int64_t nanoseconds) {
  std::string digits = std::to_string(nanoseconds % 1000);
  digits.insert(0, 3 - digits.size(), '0');
  return std::to_string(nanoseconds / 1000) + '.' + digits;
}

struct Event {
  std::string_view phase;
  std::string_view name;
  std::uint64_t track;
  std::uint64_t lane;  // 0: none
  std::int64_t time;
  std::string_view arguments;  // an object, or nothing
};

std::string text_of(const Event& event, std::uint32_t process) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  json.member("ph", event.phase);
  json.member("name", event.name);
  if (event.lane != 0) {
    json.member("cat", "request");
    json.member("id", std::string_view(std::to_string(event.lane)));
  }
  json.member("pid", process);
  json.member("tid", event.track);
  json.key("ts");
  json.text_of_value(time_text(event.time));
  if (!event.arguments.empty()) {
    json.key("args");
    json.text_of_value(event.arguments);
  }
  json.end_object();
  return text;
}

}  // namespace

TraceSpans::TraceSpans(const TraceWriterOptions& options) : options_(options) {
  begin_of_trace_ = now();
  text_ = "[";
  write_metadata("process_name", 0, options_.process_name.empty() ? "tsock" : options_.process_name);
  write_metadata("thread_name", loop_track, "loop");
}

// Never the same twice: of two events at one time the viewers would not know the order.
std::int64_t TraceSpans::now() noexcept {
  const std::int64_t time = std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  last_ = std::max(time, last_ + 1);
  return last_;
}

void TraceSpans::step(TraceKind kind, const RequestState& state) {
  Span* const span = find(kind, state);
  if (kind == TraceKind::delivered || kind == TraceKind::abandoned) std::erase(begun_, &state);
  if (span == nullptr || span->ended != 0) return;
  find_track(state, *span);
  switch (kind) {
    case TraceKind::started:
      begun_.push_back(&state);
      break;
    case TraceKind::cancelled:
      span->was_cancelled = true;
      break;
    case TraceKind::finished:
      span->finished = now();
      break;
    case TraceKind::delivered:
      close(state, *span, false, false);
      break;
    case TraceKind::abandoned:
      close(state, *span, true, false);
      break;
  }
}

void TraceSpans::find_tracks() {
  for (const RequestState* const state : begun_) {
    if (const auto found = open_.find(state->id()); found != open_.end()) find_track(*state, found->second);
  }
  begun_.clear();
}

// One that is not known was there before the trace, or was dropped.
TraceSpans::Span* TraceSpans::find(TraceKind kind, const RequestState& state) {
  if (kind == TraceKind::started) {
    if (first_id_ == 0) first_id_ = state.id();
    return begin(state, now());
  }
  if (const auto found = open_.find(state.id()); found != open_.end()) return &found->second;
  const bool was_dropped = first_id_ != 0 && state.id() >= first_id_;
  return was_dropped ? nullptr : begin(state, begin_of_trace_);
}

TraceSpans::Span* TraceSpans::begin(const RequestState& state, std::int64_t time) {
  if (open_.size() >= options_.most_followed) {
    ++dropped_;
    return nullptr;
  }
  Span span;
  span.began = time;
  span.lane = state.id();
  if (const auto parent = open_.find(state.parent_id()); parent != open_.end()) {
    const std::vector<std::uint64_t>& lane = lanes_[parent->second.lane];
    if (!lane.empty() && lane.back() == state.parent_id()) span.lane = parent->second.lane;
  }
  lanes_[span.lane].push_back(state.id());
  return &open_.emplace(state.id(), std::move(span)).first->second;
}

void TraceSpans::close(const RequestState& state, Span& span, bool is_abandoned, bool is_in_progress) {
  span.ended = now();
  find_track(state, span);
  if (span.track == 0) span.track = loop_track;
  span.name = state.name();
  JsonWriter json(span.arguments);
  json.begin_object();
  json.member("request", state.id());
  json.member("parent", state.parent_id());
  json.member("file", state.site().file());
  json.member("line", state.site().line());
  json.member("transferred", state.transferred());
  if (const std::string detail = detail_of(state); !detail.empty())
    json.member("detail", std::string_view(detail));
  if (span.finished != 0) json.member("awaited_callback_ns", span.ended - span.finished);
  if (state.error() != 0) json.member("error", error_name(state.error()));
  if (!state.reason().empty()) json.member("reason", state.reason());
  if (span.was_cancelled) json.member("cancelled", true);
  if (is_abandoned) json.member("abandoned", true);
  if (is_in_progress) json.member("in_progress", true);
  if (span.began == begin_of_trace_) json.member("began_before_trace", true);
  json.end_object();
  write_ended(span.lane);
}

// Writes the spans at the end of the lane that have ended. Each ends behind those inside it.
void TraceSpans::write_ended(std::uint64_t lane_id) {
  const auto lane = lanes_.find(lane_id);
  if (lane == lanes_.end()) return;
  bool is_outer = false;
  while (!lane->second.empty()) {
    const auto place = open_.find(lane->second.back());
    if (place == open_.end() || place->second.ended == 0) break;
    const Span& span = place->second;
    Event event{.phase = "b",
                .name = span.name,
                .track = span.track,
                .lane = span.lane,
                .time = span.began,
                .arguments = span.arguments};
    std::string both = text_of(event, options_.process_id);
    event.phase = "e";
    event.time = is_outer ? now() : span.ended;
    event.arguments = {};
    both += ",\n" + text_of(event, options_.process_id);
    if (write(both)) {
      ++spans_;
    } else {
      ++dropped_;
    }
    open_.erase(place);
    lane->second.pop_back();
    is_outer = true;
  }
  if (lane->second.empty()) lanes_.erase(lane);
}

// Another stream may be where one was before, so the name is compared, too.
void TraceSpans::find_track(const RequestState& state, Span& span) {
  const LoopResource* const resource = state.resource();
  if (resource == nullptr || span.track != 0) return;
  std::ostringstream out;
  resource->describe(out);
  if (tracks_.size() >= most_tracks) tracks_.clear();
  Track& track = tracks_[resource];
  std::string name = std::move(out).str();
  if (track.number == 0 || track.name != name) track = {++last_track_, std::move(name)};
  span.track = track.number;
  if (track.number == last_track_ && last_named_ != last_track_) {
    if (write_metadata("thread_name", track.number, track.name)) last_named_ = last_track_;
  }
}

bool TraceSpans::write_metadata(std::string_view what, std::uint64_t track, std::string_view name) {
  std::string arguments;
  JsonWriter json(arguments);
  json.begin_object();
  json.member("name", name);
  json.end_object();
  return write(
      text_of({.phase = "M", .name = what, .track = track, .lane = 0, .time = 0, .arguments = arguments},
              options_.process_id));
}

void TraceSpans::end(const std::vector<const RequestState*>& in_progress) {
  std::vector<const RequestState*> inner_first = in_progress;
  std::sort(inner_first.begin(), inner_first.end(),
            [](const RequestState* a, const RequestState* b) { return a->id() > b->id(); });
  for (const RequestState* const state : inner_first) {
    Span* const span = find(TraceKind::finished, *state);
    if (span != nullptr && span->ended == 0) close(*state, *span, false, true);
  }
  // The end needs no room: it comes once.
  options_.most_buffered = std::numeric_limits<std::size_t>::max();
  tell_drops();
  text_ += "\n]\n";
}

void TraceSpans::tell_drops() {
  const std::uint64_t dropped = dropped_;
  if (dropped == dropped_told_) return;
  std::string arguments;
  JsonWriter json(arguments);
  json.begin_object();
  json.member("requests", dropped - dropped_told_);
  json.end_object();
  dropped_told_ = dropped;  // before the event, which is written in the same way
  write(text_of({.phase = "i",
                 .name = "dropped",
                 .track = loop_track,
                 .lane = 0,
                 .time = now(),
                 .arguments = arguments},
                options_.process_id));
}

bool TraceSpans::write(std::string_view event) {
  constexpr std::size_t room_for_drops = 256;
  if (text_.size() + event.size() + room_for_drops > options_.most_buffered) return false;
  tell_drops();
  text_ += is_first_ ? "\n" : ",\n";
  is_first_ = false;
  text_ += event;
  return true;
}

}  // namespace tsock::inline v0::detail
