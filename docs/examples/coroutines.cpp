// An echo server and its client as coroutines: every step that waits is a co_await, and every one of them can
// be cancelled, has deadlines, and goes with its task.
#include <chrono>
#include <cstdio>
#include <string>
#include <tsock/coroutine.hpp>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

using namespace std::chrono_literals;

constexpr tsock::framing::u16be messages{.max_body = 4096};

tsock::Task<> serve(tsock::Stream stream) {
  for (;;) {
    auto [message, err] = co_await stream.readv_pdu(messages);
    if (err != 0) break;  // EPIPE: the client has ended
    const auto [size, write_error] = co_await stream.writev(message.vector());
    if (write_error != 0) co_return;
  }
  co_await stream.disconnect();
}

// A task of several steps with a value: a call.
tsock::Task<std::string> ask(tsock::Stream& stream, std::string question) {
  const auto [size, write_error] = co_await stream.write_pdu(messages, question);
  if (write_error != 0) co_return tsock::Failure{write_error};
  const auto [answer, err] = co_await tsock::with_timeout(stream.readv_pdu(messages), 5s);
  if (err != 0) co_return tsock::Failure{err};
  co_return std::string(answer.text());
}

tsock::Task<> talk(tsock::Stream stream) {
  for (const char* question : {"one", "two"}) {
    const auto [answer, err] = co_await ask(stream, question);
    std::printf("%s '%s'\n", tsock::error_name(err).data(), answer.c_str());
  }
}

}  // namespace

int main() {
  tsock::Loop loop;
  auto [here, there] = tsock::memory_stream_pair(loop);
  auto serving = tsock::start(loop, serve(std::move(there)));
  tsock::start(loop, talk(std::move(here))).detach();
  serving.set_callback([](auto&) { std::puts("the server has ended"); });
  loop.run();
  return 0;
}
