// An application on libuv that uses tsock for its sockets. Its timer and its signal are handles of libuv, on
// a uv_loop_t that it owns and runs; clients ask for the timer's count, line by line. SIGTERM ends both in
// order: connections end behind their answers, every handle closes, and uv_run() returns.
//   borrowed_loop [address]
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <tsock/coroutine.hpp>
#include <tsock/request_set.hpp>
#include <tsock/tsock.hpp>
#include <utility>

// libuv's own header: an application that runs a uv_loop_t has it.
#include <uv.h>

namespace {

struct Application {
  uv_loop_t uv{};
  uv_timer_t timer{};
  uv_signal_t terminated{};
  unsigned long ticks = 0;

  std::optional<tsock::Loop> loop;
  std::optional<tsock::Listener> listener;
  tsock::RequestSet sessions;
};

tsock::Task<> answer(tsock::Stream stream, const Application& application) {
  for (;;) {
    const auto [question, end] = co_await stream.readv_pdu(tsock::framing::line{.max_body = 1024});
    if (end != 0) break;
    const auto [size, broken] =
        co_await stream.write(std::string(question.text()) + std::to_string(application.ticks) + "\n");
    if (broken != 0) break;
  }
  std::move(stream).disconnect().detach();
}

// Each side closes what it has; uv_run() returns when both have.
void shut_down(Application& application) {
  application.listener.reset();
  application.sessions.cancel();
  uv_close(reinterpret_cast<uv_handle_t*>(&application.timer), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&application.terminated), nullptr);
}

Application& owner_of(void* data) { return *static_cast<Application*>(data); }

}  // namespace

int main(int argc, char** argv) {
  Application application;
  if (uv_loop_init(&application.uv) != 0) return 1;
  uv_timer_init(&application.uv, &application.timer);
  uv_signal_init(&application.uv, &application.terminated);
  application.timer.data = application.terminated.data = &application;
  uv_timer_start(
      &application.timer, [](uv_timer_t* timer) { ++owner_of(timer->data).ticks; }, 1, 10);
  uv_signal_start(
      &application.terminated, [](uv_signal_t* signal, int) { shut_down(owner_of(signal->data)); }, SIGTERM);

  // tsock on the same loop.
  tsock::Loop& loop = application.loop.emplace(&application.uv);
  int err = 0;
  const auto address = tsock::Address::parse(argc > 1 ? argv[1] : "127.0.0.1:7000", err);
  application.listener = tsock::Listener::listen(loop, address, {}, err);
  if (err != 0) {
    std::fprintf(stderr, "%s\n", tsock::error_text(err).c_str());
    return 1;
  }
  std::printf("listening on %s\n", application.listener->local_address().to_string().c_str());
  std::fflush(stdout);
  tsock::for_each_accept(*application.listener, [&](tsock::Stream stream) {
    application.sessions.add(tsock::start(loop, answer(std::move(stream), application)));
  });

  uv_run(&application.uv, UV_RUN_DEFAULT);  // returns when neither has anything left to do
  loop.rethrow();                           // throws what a callback has thrown, if anything

  application.loop.reset();
  uv_run(&application.uv, UV_RUN_DEFAULT);  // tsock's handles close
  return uv_loop_close(&application.uv) == 0 ? 0 : 1;
}
