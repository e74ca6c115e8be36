#include <cstdint>
#include <string_view>
#include <tsock/loop.hpp>
#include <tsock/metrics_text.hpp>

#include "core/base/json_writer.hpp"
#include "core/loop/json_dump.hpp"

namespace tsock::inline v0 {

namespace {

void add_metric(std::string& out, std::string_view name, std::string_view type, std::string_view help,
                std::uint64_t value) {
  for (const std::string_view part :
       {std::string_view("# HELP "), name, std::string_view(" "), help, std::string_view("\n# TYPE "), name,
        std::string_view(" "), type, std::string_view("\n"), name, std::string_view(" ")})
    out += part;
  out += std::to_string(value) + '\n';
}

std::string seconds_text(std::chrono::nanoseconds time) {
  const auto count = static_cast<std::uint64_t>(time.count());
  std::string digits = std::to_string(count % 1'000'000'000);
  digits.insert(0, 9 - digits.size(), '0');
  return std::to_string(count / 1'000'000'000) + '.' + digits;
}

void add_histogram(std::string& out, const CallbackTimes& times) {
  out +=
      "# HELP tsock_callback_seconds How long callbacks have held the loop\n"
      "# TYPE tsock_callback_seconds histogram\n";
  std::uint64_t sum = 0;
  for (std::size_t bucket = 0; bucket + 1 < CallbackTimes::buckets; ++bucket) {
    sum += times.histogram[bucket];
    out += "tsock_callback_seconds_bucket{le=\"" + seconds_text(CallbackTimes::bound(bucket)) + "\"} " +
           std::to_string(sum) + '\n';
  }
  out += "tsock_callback_seconds_bucket{le=\"+Inf\"} " + std::to_string(times.count) + '\n';
  out += "tsock_callback_seconds_sum " + seconds_text(times.total) + '\n';
  out += "tsock_callback_seconds_count " + std::to_string(times.count) + '\n';
}

}  // namespace

std::string metrics_text(const Loop& loop) {
  const LoopMetrics metrics = loop.metrics();
  std::string out;
  add_metric(out, "tsock_events_total", "counter", "Readiness events taken from the kernel", metrics.events);
  add_metric(out, "tsock_completions_total", "counter", "Completions delivered", metrics.completions);
  add_metric(out, "tsock_posted_total", "counter", "Posted functions run", metrics.posted);
  add_metric(out, "tsock_requests_in_progress", "gauge", "Requests now in progress", metrics.in_progress);
  add_metric(out, "tsock_deadlines", "gauge", "Deadlines now armed", metrics.deadlines);
  if (const CallbackTimes times = loop.callback_times(); times.is_on) add_histogram(out, times);
  return out;
}

std::string metrics_json(const Loop& loop) {
  std::string out;
  detail::JsonWriter json(out);
  json.begin_object();
  json.member("schema", 1);
  detail::write_members(json, loop.metrics());
  if (const CallbackTimes times = loop.callback_times(); times.is_on) {
    json.key("callbacks");
    detail::write_times(json, times);
  }
  json.end_object();
  return out;
}

}  // namespace tsock::inline v0
