// tsock on a uv_loop_t that the application owns and runs, beside the application's own handles.
#include <chrono>
#include <cstdio>
#include <optional>
#include <tsock/tsock.hpp>

// libuv's own header: an application that runs a uv_loop_t has it.
#include <uv.h>

int main() {
  uv_loop_t uv;
  if (uv_loop_init(&uv) != 0) return 1;

  // The application's timer ...
  uv_timer_t timer;
  uv_timer_init(&uv, &timer);
  uv_timer_start(
      &timer,
      [](uv_timer_t* handle) {
        std::puts("the application's timer");
        uv_close(reinterpret_cast<uv_handle_t*>(handle), nullptr);
      },
      10, 0);

  // ... and tsock on the same loop.
  std::optional<tsock::Loop> loop(std::in_place, &uv);
  loop->sleep(std::chrono::milliseconds(30)).detach([](auto&) { std::puts("tsock's request"); });

  uv_run(&uv, UV_RUN_DEFAULT);  // returns when neither has anything left to do
  loop->rethrow();              // throws what a callback has thrown, if anything

  loop.reset();
  uv_run(&uv, UV_RUN_DEFAULT);  // tsock's handles close
  return uv_loop_close(&uv) == 0 ? 0 : 1;
}
