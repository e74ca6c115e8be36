#include "tsock/inspect.hpp"

#include <sys/stat.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/metrics_text.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "core/insight/inspect_command.hpp"
#include "support/loop_fixture.hpp"

namespace tsock::test {

namespace {

using namespace std::chrono_literals;
using detail::InspectCommand;
using detail::read_inspect_command;
using nlohmann::json;

struct InspectFixture : LoopFixture {
  TempDirectory directory;
  Address address = [this] {
    int err = 0;
    return Address::unix_from_path(directory / "inspect", err);
  }();
  Inspection inspection;

  void begin(const InspectOptions& options = {}) {
    int err = -1;
    inspection = inspect(loop, address, options, err);
    BOOST_TEST_REQUIRE(err == 0);
  }
  Stream client() {
    int err = -1;
    auto connecting = Stream::connect(loop, address);
    Stream stream = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
  void send(Stream& stream, std::string_view text) { BOOST_TEST(error_of(stream.write(text)) == 0); }
  std::string line(Stream& stream) {
    int err = -1;
    auto reading = stream.readv_pdu(framing::line{.max_body = 1U << 20});
    Pdu pdu = fetch(reading, err);
    BOOST_TEST_REQUIRE(err == 0);
    return text_of(pdu.body());
  }
  // A text answer: lines up to an empty one.
  std::string text(Stream& stream) {
    std::string whole;
    for (std::string next = line(stream); !next.empty(); next = line(stream)) whole += next + '\n';
    return whole;
  }
  std::string rest(Stream& stream) {
    std::string whole;
    std::array<std::byte, 4096> buffer{};
    for (int err = 0; err == 0;) {
      auto reading = stream.read_some(buffer);
      const ssize_t count = fetch(reading, err);
      if (err == 0) whole += text_of({buffer.data(), static_cast<std::size_t>(count)});
    }
    return whole;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(inspecting, InspectFixture)

BOOST_AUTO_TEST_CASE(commands_are_words_with_blanks_between_them) {
  using Kind = InspectCommand::Kind;
  const auto kind = [](std::string_view text) { return read_inspect_command(text).kind; };
  BOOST_TEST((kind("") == Kind::none));
  BOOST_TEST((kind(" \t\r") == Kind::none));
  BOOST_TEST((kind("help") == Kind::help));
  BOOST_TEST((kind("  dump\tjson \r") == Kind::dump));
  BOOST_TEST(read_inspect_command("dump json").as_json);
  BOOST_TEST(!read_inspect_command("dump").as_json);
  BOOST_TEST((kind("metrics json") == Kind::metrics));
  BOOST_TEST((kind("callbacks on") == Kind::callbacks_on));
  BOOST_TEST((kind("callbacks off") == Kind::callbacks_off));
  for (const char* text : {"trace 5", "trace 5s", "trace 5 seconds", "trace 5 s"}) {
    BOOST_TEST((kind(text) == Kind::trace));
    BOOST_TEST((read_inspect_command(text).duration == 5s));
  }
  for (const char* text :
       {"DUMP", "dump xml", "dump json now", "trace", "trace 0", "trace -1", "trace 5 minutes",
        "trace 99999999999", "trace s", "trace 5x", "callbacks", "quit now", "metrics json s"})
    BOOST_TEST((kind(text) == Kind::unknown), text);
}

BOOST_AUTO_TEST_CASE(socket_is_for_its_owner_alone_and_goes_with_the_inspection) {
  begin();
  struct stat status {};
  BOOST_TEST_REQUIRE(::stat((directory / "inspect").c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 0777U) == 0600U);
  BOOST_TEST((inspection.local_address() == address));
  inspection = {};
  BOOST_TEST(::stat((directory / "inspect").c_str(), &status) != 0);
  begin();  // also where a socket was before
}

BOOST_AUTO_TEST_CASE(address_must_be_a_path_that_nobody_listens_on) {
  int err = 0;
  BOOST_TEST(!inspect(loop, loopback_v4(), {}, err));
  BOOST_TEST(err == EINVAL);
  BOOST_TEST(!inspect(loop, Address::unix_abstract("x", err), {}, err));
  BOOST_TEST(err == EINVAL);
  BOOST_TEST(!inspect(loop, Address(), {}, err));
  BOOST_TEST(err == EINVAL);
  begin();
  BOOST_TEST(!inspect(loop, address, {}, err));
  BOOST_TEST(err == EADDRINUSE);
}

BOOST_AUTO_TEST_CASE(every_command_is_answered) {
  begin();
  const auto request = loop.sleep(1h);
  Stream stream = client();
  send(stream, "dump\n");
  const std::string dump = text(stream);
  BOOST_TEST(dump.find("loop: ") == 0U);
  BOOST_TEST(dump.find("inspect_test.cpp") != std::string::npos);
  send(stream, "dump json\r\n");
  const json parsed = json::parse(line(stream));
  BOOST_TEST(parsed["schema"] == 1);
  BOOST_TEST(parsed["requests"].size() >= 1U);
  send(stream, "metrics\n");
  const std::string metrics = text(stream);
  BOOST_TEST(metrics.find("\ntsock_completions_total ") != std::string::npos);
  BOOST_TEST(metrics.find("callback_seconds") == std::string::npos);
  send(stream, "metrics json\n");
  BOOST_TEST(json::parse(line(stream))["completions"].get<int>() > 0);
  send(stream, "help\n");
  BOOST_TEST(text(stream).find("trace N") != std::string::npos);
  send(stream, "callbacks on\n");
  BOOST_TEST(!text(stream).empty());
  BOOST_TEST(loop.callback_times().is_on);
  send(stream, "metrics\n");
  BOOST_TEST(text(stream).find("tsock_callback_seconds_bucket{le=\"0.000001000\"} ") != std::string::npos);
  send(stream, "dump json\n");
  BOOST_TEST(json::parse(line(stream)).contains("callbacks"));
  send(stream, "callbacks off\n");
  BOOST_TEST(!text(stream).empty());
  BOOST_TEST(!loop.callback_times().is_on);
  send(stream, "quit\n");
  BOOST_TEST(rest(stream).empty());
  BOOST_TEST(run_until([this] { return inspection.clients() == 0; }));
}

BOOST_AUTO_TEST_CASE(lines_may_come_in_parts_together_and_without_an_end) {
  begin();
  Stream stream = client();
  for (const char letter : std::string_view("metrics js")) send(stream, std::string(1, letter));
  loop.run_until_idle();
  send(stream, "on\nbad command\nhelp\nmetrics json");
  BOOST_TEST(json::accept(line(stream)));
  BOOST_TEST(line(stream).find("error: ") == 0U);
  BOOST_TEST(!text(stream).empty());
  BOOST_TEST(error_of(stream.shutdown_write()) == 0);
  BOOST_TEST(json::accept(rest(stream)));
}

BOOST_AUTO_TEST_CASE(line_that_is_too_long_ends_the_connection) {
  begin();
  Stream stream = client();
  send(stream, std::string(255, ' ') + "\n");
  BOOST_TEST(line(stream).empty());
  send(stream, std::string(256, 'x'));
  BOOST_TEST(rest(stream) == "error: the line is too long\n");
}

BOOST_AUTO_TEST_CASE(clients_beyond_the_limit_wait_for_a_place) {
  begin({.most_clients = 2});
  Stream first = client();
  Stream second = client();
  Stream third = client();
  send(third, "metrics json\n");
  auto waiting = third.readv_pdu(framing::line{.max_body = 65536});
  send(first, "metrics json\n");
  BOOST_TEST(json::accept(line(first)));
  BOOST_TEST(inspection.clients() == 2U);
  BOOST_TEST(waiting.is_in_progress());
  second = {};
  BOOST_TEST(error_of(waiting) == 0);
}

BOOST_AUTO_TEST_CASE(client_that_says_nothing_or_reads_nothing_is_dropped) {
  begin({.silence = 20ms});
  Stream silent = client();
  BOOST_TEST(rest(silent).empty());
  std::vector<Request<void>> many;
  for (int count = 0; count < 3000; ++count) many.push_back(loop.sleep(1h));
  Stream deaf = client();
  BOOST_TEST(run_until([this] { return inspection.clients() == 1; }));
  std::string commands;
  for (int count = 0; count < 50; ++count) commands += "dump json\n";
  send(deaf, commands);
  BOOST_TEST(run_until([this] { return inspection.clients() == 0; }));
}

BOOST_AUTO_TEST_CASE(trace_is_streamed_and_then_the_connection_ends) {
  begin({.longest_trace = 5s});
  Stream stream = client();
  send(stream, "trace 6\n");
  BOOST_TEST(line(stream) == "error: at most 5 seconds");
  send(stream, "trace 1 second\n");
  auto busy = loop.sleep(10ms);
  busy.set_callback([](auto&) {});
  const json trace = json::parse(rest(stream));
  bool found = false;
  for (const json& event : trace) found = found || event["name"] == "sleep";
  BOOST_TEST(found);
  BOOST_TEST(run_until([this] { return inspection.clients() == 0; }));
}

BOOST_AUTO_TEST_CASE(loop_ends_when_only_the_inspection_is_left) {
  begin();
  loop.run();
  BOOST_TEST(!loop.run_once());
  {
    const Stream stream = client();
    loop.run_until_idle();
    BOOST_TEST(inspection.clients() == 1U);
    loop.run();
    BOOST_TEST(inspection.clients() == 1U);
  }
  loop.run_until_idle();
  BOOST_TEST(inspection.clients() == 0U);
  loop.run();
}

BOOST_AUTO_TEST_CASE(inspection_may_go_with_clients_in_every_state) {
  begin();
  Stream idle = client();
  Stream partial = client();
  send(partial, "dum");
  Stream traced = client();
  send(traced, "trace 100\n");
  BOOST_TEST(run_until([this] { return inspection.clients() == 3; }));
  loop.run_until_idle();
  Inspection moved = std::move(inspection);
  BOOST_TEST(moved.clients() == 3U);
  moved = {};
  BOOST_TEST(rest(idle).empty());
  BOOST_TEST(rest(partial).empty());
}

BOOST_AUTO_TEST_CASE(loop_may_go_before_the_inspection) {
  int err = 0;
  std::optional<Loop> other(std::in_place);
  Inspection on_other = inspect(*other, address, {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  auto connecting = Stream::connect(*other, address);
  other->run_until_idle();
  Stream stream = connecting.recv(err);
  BOOST_TEST_REQUIRE(err == 0);
  auto writing = stream.write("dump\n");
  other->run_until_idle();
  other.reset();
  on_other = {};
}

BOOST_AUTO_TEST_CASE(texts_of_metrics_have_the_counters) {
  const json parsed = json::parse(metrics_json(loop));
  BOOST_TEST(parsed["schema"] == 1);
  BOOST_TEST(parsed["in_progress"] == 0);
  loop.start_callback_timing();
  loop.post([] {});
  loop.run();
  BOOST_TEST(json::parse(metrics_json(loop))["callbacks"]["count"] == 1);
  const std::string text = metrics_text(loop);
  BOOST_TEST(text.find("# TYPE tsock_posted_total counter\ntsock_posted_total 1\n") != std::string::npos);
  BOOST_TEST(text.find("tsock_callback_seconds_bucket{le=\"+Inf\"} 1\n") != std::string::npos);
  BOOST_TEST(text.find("tsock_callback_seconds_count 1\n") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
