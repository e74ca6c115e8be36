// libevent's bufferevents as their users write it: messages move from the input to the output buffer without
// a copy.

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <cstddef>

#include "bench/libevent_sessions.hpp"
#include "bench/server_options.hpp"

namespace {

void serve(event_base* base, bench::Start start) {
  static bench::Start on_connection = start;
  const int listener = bench::listen_on_loopback();
  event* const accepting = event_new(
      base, listener, EV_READ | EV_PERSIST,
      [](evutil_socket_t from, short, void* argument) {
        for (;;) {
          const int fd = ::accept4(from, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
          if (fd < 0) return;
          on_connection(
              bufferevent_socket_new(static_cast<event_base*>(argument), fd, BEV_OPT_CLOSE_ON_FREE));
        }
      },
      base);
  event_add(accepting, nullptr);
  event_base_dispatch(base);
}

void measure_deadlines(event_base* base) {
  const auto nothing = [](evutil_socket_t, short, void*) {};
  const timeval later{60, 0};
  for (std::size_t i = 0; i < bench::waiting_deadlines; ++i) {
    evtimer_add(evtimer_new(base, nothing, nullptr), &later);
  }
  event* const one = evtimer_new(base, nothing, nullptr);
  const timeval soon{5, 0};
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < bench::deadline_operations; ++i) {
    evtimer_add(one, &soon);
    evtimer_del(one);
  }
  bench::report(bench::deadline_operations, std::chrono::steady_clock::now() - begin);
}

}  // namespace

int main(int argc, char** argv) {
  const bench::ServerOptions options(argc, argv);
  event_base* const base = event_base_new();
  switch (options.mode) {
    case bench::Mode::echo:
      serve(base, bench::start_echo);
      break;
    case bench::Mode::sink:
      serve(base, bench::start_sink);
      break;
    case bench::Mode::source:
      serve(base, bench::start_source);
      break;
    case bench::Mode::deadline:
      measure_deadlines(base);
      break;
    case bench::Mode::datagram:  // bufferevents are for streams
    case bench::Mode::post:
      bench::unsupported();
  }
}
