#include "tsock/trace_writer.hpp"

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"

namespace tsock::test {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

/// Two children, one after the other, and one that goes with it.
struct TracedParent : Operation<void> {
  static constexpr const char* name = "traced_parent";
  void start() override {
    aside_ = loop().sleep(1h);
    first_ = loop().sleep(0ns);
    first_.set_callback([this](auto&) {
      second_ = loop().sleep(0ns);
      second_.set_callback([this](auto&) { done(); });
    });
  }
  Request<void> aside_;
  Request<void> first_;
  Request<void> second_;
};

struct TracedGrandparent : Operation<void> {
  static constexpr const char* name = "traced_grandparent";
  void start() override {
    child_ = make_request<TracedParent>(loop());
    child_.set_callback([this](auto&) { done(); });
  }
  Request<void> child_;
};

struct TraceWriterFixture : LoopFixture {
  void begin(const TraceWriterOptions& options = {}) {
    auto [out, in] = unix_pair();
    reader = std::move(in);
    writer = TraceWriter(std::move(out), options);
  }
  // All that was written, after the end of the trace.
  std::string text_at_end() {
    auto stopping = writer.stop();
    std::string text = read_all();
    BOOST_TEST(error_of(stopping) == 0);
    return text;
  }
  std::string read_all() {
    std::string text;
    std::array<std::byte, 65536> buffer{};
    for (int err = 0; err == 0;) {
      auto reading = reader.read_some(buffer);
      const ssize_t count = fetch(reading, err);
      if (err == 0) text += text_of({buffer.data(), static_cast<std::size_t>(count)});
    }
    return text;
  }

  Stream reader;
  TraceWriter writer;
};

// The events of one kind of request, by their phase.
std::vector<json> events_of(const json& trace, const std::string& name, const std::string& phase) {
  std::vector<json> found;
  std::copy_if(trace.begin(), trace.end(), std::back_inserter(found),
               [&](const json& event) { return event["name"] == name && event["ph"] == phase; });
  return found;
}

// Checks that the spans of each id nest: in the order of time each end belongs to the last open begin.
void check_nesting(const json& trace) {
  std::multimap<double, json> events;
  for (const json& event : trace) {
    if (event["ph"] == "b" || event["ph"] == "e") events.emplace(event["ts"].get<double>(), event);
  }
  std::map<std::string, std::vector<json>> open;
  for (const auto& [time, event] : events) {
    auto& stack = open[event["id"].get<std::string>()];
    if (event["ph"] == "b") {
      // What lies inside another span is its child.
      if (!stack.empty()) BOOST_TEST(event["args"]["parent"] == stack.back()["args"]["request"]);
      stack.push_back(event);
    } else {
      BOOST_TEST_REQUIRE(!stack.empty());
      BOOST_TEST(stack.back()["name"] == event["name"]);
      BOOST_TEST(stack.back()["tid"] == event["tid"]);
      stack.pop_back();
    }
  }
  for (const auto& [id, stack] : open) BOOST_TEST(stack.empty());
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(trace_writing, TraceWriterFixture)

BOOST_AUTO_TEST_CASE(children_lie_inside_the_spans_of_their_parents) {
  begin();
  BOOST_TEST(writer.is_on());
  auto request = make_request<TracedGrandparent>(loop);
  BOOST_TEST(error_of(request) == 0);
  const json trace = json::parse(text_at_end());
  BOOST_TEST(!writer.is_on());
  check_nesting(trace);
  const auto outer = events_of(trace, "traced_grandparent", "b");
  const auto middle = events_of(trace, "traced_parent", "b");
  BOOST_TEST_REQUIRE(outer.size() == 1U);
  BOOST_TEST_REQUIRE(middle.size() == 1U);
  BOOST_TEST(middle[0]["id"] == outer[0]["id"]);
  BOOST_TEST(middle[0]["args"]["parent"] == outer[0]["args"]["request"]);
  // Of the children that overlap one stands in the lane; the other, which ends first, has its own.
  const auto children = events_of(trace, "sleep", "b");
  std::size_t inside = 0;
  for (const json& child : children)
    inside +=
        child["id"] == outer[0]["id"] && child["args"]["parent"] == middle[0]["args"]["request"] ? 1U : 0U;
  BOOST_TEST(inside >= 1U);
  BOOST_TEST(writer.counts().spans >= 5U);
  BOOST_TEST(writer.counts().dropped == 0U);
}

BOOST_AUTO_TEST_CASE(each_stream_has_a_track_with_its_name) {
  begin({.process_name = "my \"daemon\"", .process_id = 77});
  auto [ours, theirs] = tcp_pair();
  static_cast<void>(send_through(ours, theirs, pattern(100)));
  static_cast<void>(send_through(theirs, ours, pattern(50)));
  const std::string peer = ours.remote_address().string();
  const json trace = json::parse(text_at_end());
  check_nesting(trace);
  const auto processes = events_of(trace, "process_name", "M");
  BOOST_TEST_REQUIRE(processes.size() == 1U);
  BOOST_TEST(processes[0]["args"]["name"] == "my \"daemon\"");
  std::map<int, std::string> tracks;
  for (const json& event : events_of(trace, "thread_name", "M"))
    tracks[event["tid"].get<int>()] = event["args"]["name"].get<std::string>();
  const auto writes = events_of(trace, "writev", "b");
  const auto reads = events_of(trace, "readv", "b");
  BOOST_TEST_REQUIRE(writes.size() == 2U);
  BOOST_TEST_REQUIRE(reads.size() == 2U);
  BOOST_TEST(writes[0]["tid"] == reads[1]["tid"]);
  BOOST_TEST(writes[1]["tid"] == reads[0]["tid"]);
  BOOST_TEST(writes[0]["tid"] != writes[1]["tid"]);
  BOOST_TEST(tracks[writes[0]["tid"].get<int>()].find(peer) != std::string::npos);
  BOOST_TEST(writes[0]["args"]["transferred"] == 100);
  BOOST_TEST(writes[0]["pid"] == 77);
}

BOOST_AUTO_TEST_CASE(errors_cancelling_and_abandoning_are_told) {
  auto before = loop.sleep(1h);
  begin();
  auto cancelled = loop.sleep(1h);
  cancelled.cancel();
  BOOST_TEST(error_of(cancelled) == ECANCELED);
  { const auto abandoned = loop.sleep(2h); }
  before.cancel();
  BOOST_TEST(error_of(before) == ECANCELED);
  auto still = loop.sleep(3h);
  const json trace = json::parse(text_at_end());
  check_nesting(trace);
  std::map<std::string, std::size_t> count;
  for (const json& event : events_of(trace, "sleep", "b")) {
    for (const char* word : {"cancelled", "abandoned", "in_progress", "began_before_trace"})
      count[word] += event["args"].contains(word) ? 1U : 0U;
  }
  BOOST_TEST(count["cancelled"] == 2U);
  BOOST_TEST(count["abandoned"] >= 1U);
  BOOST_TEST(count["in_progress"] >= 1U);
  BOOST_TEST(count["began_before_trace"] == 1U);
  BOOST_TEST(trace.dump().find("ECANCELED") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(trace_that_is_cut_off_is_complete_with_a_bracket) {
  begin();
  for (int round = 0; round < 20; ++round) {
    auto request = loop.sleep(0ns);
    loop.run();
  }
  const std::string text = text_at_end();
  std::size_t lines = 0;
  for (std::size_t end = text.find('\n', 2); end != std::string::npos; end = text.find('\n', end + 1)) {
    std::string cut = text.substr(0, end);
    if (cut.ends_with(']')) continue;
    if (cut.ends_with(',')) cut.pop_back();
    BOOST_TEST(json::accept(cut + "]"));
    ++lines;
  }
  BOOST_TEST(lines >= 40U);
}

BOOST_AUTO_TEST_CASE(slow_output_drops_spans_and_says_how_many) {
  begin({.most_buffered = 20'000});
  for (int round = 0; round < 5000; ++round) {
    auto request = loop.sleep(0ns);
    loop.run_until_idle();
  }
  BOOST_TEST(writer.counts().dropped > 0U);
  const std::uint64_t dropped = writer.counts().dropped;
  const json trace = json::parse(text_at_end());
  check_nesting(trace);
  std::uint64_t told = 0;
  for (const json& event : events_of(trace, "dropped", "i"))
    told += event["args"]["requests"].get<std::uint64_t>();
  BOOST_TEST(told >= dropped);
  BOOST_TEST(told == writer.counts().dropped);
}

BOOST_AUTO_TEST_CASE(requests_beyond_the_limit_are_counted) {
  begin({.most_followed = 2});
  std::vector<Request<void>> many;
  for (int count = 0; count < 5; ++count) many.push_back(loop.sleep(0ns));
  loop.run();
  BOOST_TEST(writer.counts().dropped == 3U);
  BOOST_TEST(writer.counts().spans == 2U);
  BOOST_TEST(json::accept(text_at_end()));
}

BOOST_AUTO_TEST_CASE(writer_does_not_keep_the_loop_running) {
  begin();
  auto request = loop.sleep(0ns);
  request.set_callback([](auto&) {});
  loop.run();
  loop.run();
  BOOST_TEST(writer.is_on());
  writer = {};
  BOOST_TEST(!writer.is_on());
}

BOOST_AUTO_TEST_CASE(user_function_sees_no_more_and_no_less) {
  std::size_t sleeps = 0;
  loop.set_trace([&sleeps](const TraceEvent& event) {
    if (std::string_view(event.name) == "sleep") ++sleeps;
  });
  begin();
  loop.set_trace({});
  auto request = loop.sleep(0ns);
  loop.run();
  BOOST_TEST(sleeps == 0U);
  BOOST_TEST(events_of(json::parse(text_at_end()), "sleep", "b").size() == 1U);
}

BOOST_AUTO_TEST_CASE(output_that_breaks_ends_the_trace) {
  begin();
  reader = {};
  BOOST_TEST(run_until([this] {
    auto request = loop.sleep(0ns);
    return !writer.is_on();
  }));
  BOOST_TEST(writer.counts().error == EPIPE);
  BOOST_TEST(error_of(writer.stop()) == EPIPE);
  BOOST_TEST(error_of(writer.stop()) == EALREADY);
}

BOOST_AUTO_TEST_CASE(writer_destroyed_ends_the_wait_for_its_end) {
  begin();
  auto stopping = writer.stop();
  writer = {};
  BOOST_TEST(error_of(stopping) == ECANCELED);
  BOOST_TEST(!writer.stop());
}

BOOST_AUTO_TEST_CASE(loop_may_go_first) {
  expects_leftovers = true;
  std::optional<Loop> other(std::in_place);
  int err = 0;
  auto [out, in] = Stream::socketpair(*other, err);
  TraceWriter on_other(std::move(out));
  auto request = other->sleep(0ns);
  other->run_until_idle();
  auto stopping = on_other.stop();
  other.reset();
  BOOST_TEST(!on_other.is_on());
  static_cast<void>(on_other.stop());
}

BOOST_AUTO_TEST_CASE(file_is_whole_when_the_trace_has_stopped) {
  const TempDirectory directory;
  const std::string path = directory / "trace.json";
  int err = -1;
  writer = TraceWriter(open_file(loop, path.c_str(), FileMode::write, err));
  BOOST_TEST_REQUIRE(err == 0);
  for (int round = 0; round < 1000; ++round) {
    auto request = loop.sleep(0ns);
    loop.run_until_idle();
  }
  BOOST_TEST(error_of(writer.stop()) == 0);
  std::ifstream file(path);
  const json trace = json::parse(file);
  BOOST_TEST(events_of(trace, "sleep", "b").size() == 1000U);
  check_nesting(trace);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
