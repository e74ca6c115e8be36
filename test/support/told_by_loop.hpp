#pragma once

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <array>
#include <cstddef>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <tsock/metrics_text.hpp>
#include <tsock/tsock.hpp>
#include <utility>

#include "support/loop_fixture.hpp"

namespace tsock::test {

/// Collects all that a loop tells while this lives: the log at its finest, the steps of requests, connects
/// and ends, a trace for viewers; and what it says when asked.
class ToldByLoop {
 public:
  explicit ToldByLoop(LoopFixture& fixture) : fixture_(fixture), ends_(fixture.memory_pair()) {
    auto logger =
        std::make_shared<spdlog::logger>("told", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_));
    logger->set_level(spdlog::level::trace);
    loop().set_logger(std::move(logger));
    loop().set_trace([this](const TraceEvent& event) { add(event.name), add(event.reason); });
    loop().set_lifecycle_observer([this](const LifecycleEvent& event) { add(event.reason); });
    writer_ = TraceWriter(std::move(ends_.first));
  }
  ToldByLoop(const ToldByLoop&) = delete;
  ToldByLoop& operator=(const ToldByLoop&) = delete;
  ~ToldByLoop() { loop().set_logger(nullptr); }

  void add(std::string_view text) {
    text_ += text;
    text_ += '\n';
  }
  /// Asks for what is in progress.
  void ask() {
    std::ostringstream json;
    loop().dump_json(json);
    add(json.str());
    add(fixture_.dump());
    add(metrics_text(loop()));
    add(metrics_json(loop()));
  }
  /// All of it; nothing is collected any more.
  [[nodiscard]] std::string end() {
    ask();
    loop().set_trace({});
    loop().set_lifecycle_observer({});
    Request<void> stopping = writer_.stop();
    for (int err = 0; err == 0;) {
      std::array<std::byte, 1> byte{};
      Request<ssize_t> reading = ends_.second.read(byte);
      fixture_.fetch(reading, err);
      if (err == 0) text_ += static_cast<char>(byte[0]);
    }
    BOOST_TEST(fixture_.error_of(stopping) == 0);
    add(log_.str());
    return text_;
  }

 private:
  [[nodiscard]] Loop& loop() noexcept { return fixture_.loop; }

  LoopFixture& fixture_;
  std::ostringstream log_;
  std::string text_;
  std::pair<Stream, Stream> ends_;
  TraceWriter writer_;
};

}  // namespace tsock::test
