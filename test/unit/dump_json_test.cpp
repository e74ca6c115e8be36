#include <boost/test/unit_test.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <tsock/tsock.hpp>
#include <utility>

#include "core/base/json_writer.hpp"
#include "support/loop_fixture.hpp"

namespace tsock::test {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

struct ParentOfOne : Operation<void> {
  static constexpr const char* name = "parent \"of\" one";
  void start() override { child_ = loop().sleep(1h); }
  Request<void> child_;
};

struct JsonFixture : LoopFixture {
  [[nodiscard]] json parsed() const {
    std::ostringstream out;
    loop.dump_json(out);
    BOOST_TEST(out.str().find('\n') == std::string::npos);
    return json::parse(out.str());
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(dump_json, JsonFixture)

BOOST_AUTO_TEST_CASE(idle_loop_has_no_requests) {
  const json dump = parsed();
  BOOST_TEST(dump["schema"] == 1);
  BOOST_TEST(dump["in_progress"] == 0);
  BOOST_TEST(dump["requests"].is_array());
  BOOST_TEST(dump["requests"].empty());
  BOOST_TEST(!dump.contains("callbacks"));
}

BOOST_AUTO_TEST_CASE(requests_stand_behind_their_parents_with_all_that_the_text_says) {
  auto [ours, theirs] = tcp_pair();
  std::byte byte{};
  auto read = ours.read({&byte, 1}, CallSite::at("dir\\a \"file\"\n.cpp", 42));
  Queue queue(loop, "the queue");
  auto write = ours.write(queue, "text");
  auto parent = make_request<ParentOfOne>(loop);
  parent.set_timeout(1h);
  const json dump = parsed();
  const json& requests = dump["requests"];
  BOOST_TEST(dump["in_progress"] == 4);
  BOOST_TEST(dump["metrics"]["in_progress"] == 4);
  BOOST_TEST_REQUIRE(requests.size() == 4U);
  BOOST_TEST(requests[0]["name"] == "readv");
  BOOST_TEST(requests[0]["file"] == "dir\\a \"file\"\n.cpp");
  BOOST_TEST(requests[0]["line"] == 42);
  BOOST_TEST(requests[0]["finished"] == false);
  BOOST_TEST(requests[0]["detail"] == "peer " + ours.remote_address().string());
  BOOST_TEST(requests[1]["detail"].get<std::string>().find("queue \"the queue\"") == 0U);
  BOOST_TEST(requests[0]["on"] == requests[1]["on"]);
  BOOST_TEST(requests[0]["on_what"].get<std::string>().find("stream ") == 0U);
  BOOST_TEST(requests[2]["name"] == "parent \"of\" one");
  BOOST_TEST(requests[2]["on"] == 0);
  BOOST_TEST(requests[2]["depth"] == 0);
  BOOST_TEST(requests[3]["parent"] == requests[2]["id"]);
  BOOST_TEST(requests[3]["depth"] == 1);
  BOOST_TEST(requests[3].contains("age_ms"));
  BOOST_TEST(requests[3].contains("transferred"));
}

BOOST_AUTO_TEST_CASE(times_of_callbacks_are_there_while_they_are_measured) {
  loop.start_callback_timing();
  auto request = loop.sleep(0ns);
  request.set_callback([](auto&) {});
  loop.run();
  const json times = parsed()["callbacks"];
  BOOST_TEST(times["count"] == 1);
  BOOST_TEST(times["histogram"].size() == CallbackTimes::buckets);
  BOOST_TEST(times["histogram"][0]["below_ns"] == 1000);
  BOOST_TEST_REQUIRE(times["slowest"].size() == 1U);
  BOOST_TEST(times["slowest"][0]["name"] == "sleep");
  BOOST_TEST(times["slowest"][0]["longest_ns"] == times["longest_ns"]);
  loop.stop_callback_timing();
  BOOST_TEST(!parsed().contains("callbacks"));
}

// Every byte sequence must come out as valid UTF-8 that a strict parser takes.
BOOST_AUTO_TEST_CASE(text_of_any_bytes_is_escaped) {
  const auto through = [](const std::string& text) {
    std::string out = "\"";
    detail::append_json_text(out, text);
    return json::parse(out + '"').get<std::string>();
  };
  BOOST_TEST(through(std::string("\0\1\x1f\x7f\"\\/\b", 8)) == std::string("\0\1\x1f\x7f\"\\/\b", 8));
  BOOST_TEST(through("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80") == "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
  const std::string bad = "\xef\xbf\xbd";
  BOOST_TEST(through("\xff") == bad);
  BOOST_TEST(through("a\xc3") == "a" + bad);
  BOOST_TEST(through("\xc0\xaf") == bad + bad);                      // overlong
  BOOST_TEST(through("\xed\xa0\x80") == bad + bad + bad);            // a surrogate
  BOOST_TEST(through("\xf4\x90\x80\x80") == bad + bad + bad + bad);  // above the last one
  BOOST_TEST(through("\xe2\x82") == bad + bad);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
