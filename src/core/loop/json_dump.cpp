#include "core/loop/json_dump.hpp"

#include <map>
#include <sstream>
#include <utility>

#include "core/loop/inspector.hpp"
#include "core/loop/loop_resource.hpp"

namespace tsock::inline v0::detail {

namespace {

void write_request(JsonWriter& json, const RequestState& state, unsigned depth, std::size_t on,
                   std::uint64_t now_ms) {
  json.begin_object();
  json.member("id", state.id());
  json.member("parent", state.parent_id());
  json.member("depth", depth - 1);
  json.member("name", state.name());
  json.member("file", state.site().file());
  json.member("line", state.site().line());
  json.member("age_ms", static_cast<std::uint32_t>(now_ms) - state.started_ms());
  json.member("transferred", state.transferred());
  json.member("finished", !state.is_unfinished());
  json.member("reason", state.reason());
  json.member("detail", std::string_view(detail_of(state)));
  json.member("on", on);
  if (state.resource() != nullptr) {
    std::ostringstream what;
    state.resource()->describe(what);
    json.member("on_what", std::string_view(std::move(what).str()));
  }
  json.end_object();
}

}  // namespace

std::string detail_of(const RequestState& state) {
  std::ostringstream out;
  state.describe(out);
  std::string text = std::move(out).str();
  if (text.starts_with(", ")) text.erase(0, 2);
  return text;
}

void write_members(JsonWriter& json, const LoopMetrics& metrics) {
  json.member("events", metrics.events);
  json.member("completions", metrics.completions);
  json.member("in_progress", metrics.in_progress);
  json.member("deadlines", metrics.deadlines);
  json.member("posted", metrics.posted);
}

void write_times(JsonWriter& json, const CallbackTimes& times) {
  json.begin_object();
  json.member("count", times.count);
  json.member("total_ns", times.total);
  json.member("longest_ns", times.longest);
  json.key("histogram");
  json.begin_array();
  for (std::size_t bucket = 0; bucket < CallbackTimes::buckets; ++bucket) {
    json.begin_object();
    // The last one has no bound.
    if (bucket + 1 < CallbackTimes::buckets) json.member("below_ns", CallbackTimes::bound(bucket));
    json.member("count", times.histogram[bucket]);
    json.end_object();
  }
  json.end_array();
  json.key("slowest");
  json.begin_array();
  for (const SlowCallback& slow : times.slowest) {
    json.begin_object();
    json.member("name", std::string_view(slow.name));
    json.member("file", slow.site.file());
    json.member("line", slow.site.line());
    json.member("longest_ns", slow.longest);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

void write_dump(std::string& out, const LoopMetrics& metrics, const CallbackTimes& times,
                std::vector<const RequestState*> states, std::uint64_t now_ms) {
  JsonWriter json(out);
  json.begin_object();
  json.member("schema", 1);
  json.member("in_progress", metrics.in_progress);
  json.member("deadlines", metrics.deadlines);
  json.key("metrics");
  json.begin_object();
  write_members(json, metrics);
  json.end_object();
  json.key("requests");
  json.begin_array();
  std::map<const LoopResource*, std::size_t> numbers;
  Inspector::walk_tree(std::move(states), [&](const RequestState& state, unsigned depth) {
    std::size_t on = 0;
    if (state.resource() != nullptr)
      on = numbers.try_emplace(state.resource(), numbers.size() + 1).first->second;
    write_request(json, state, depth, on, now_ms);
  });
  json.end_array();
  if (times.is_on) {
    json.key("callbacks");
    write_times(json, times);
  }
  json.end_object();
}

}  // namespace tsock::inline v0::detail
