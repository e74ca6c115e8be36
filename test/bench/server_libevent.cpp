// libevent's bufferevents as their users write it: messages move from the input to the output buffer without
// a copy.

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>

#include "bench/server_options.hpp"

namespace {

using Start = void (*)(bufferevent*);

void on_end(bufferevent* connection, short, void*) { bufferevent_free(connection); }

void echo(bufferevent* connection, void*) {
  evbuffer* const in = bufferevent_get_input(connection);
  evbuffer* const out = bufferevent_get_output(connection);
  std::array<unsigned char, 4> header{};
  while (evbuffer_copyout(in, header.data(), header.size()) == 4) {
    const std::size_t message = bench::message_size(header.data());
    if (evbuffer_get_length(in) < message) return;
    evbuffer_remove_buffer(in, out, message);
  }
}

void start_echo(bufferevent* connection) {
  bufferevent_setcb(connection, echo, nullptr, on_end, nullptr);
  bufferevent_enable(connection, EV_READ | EV_WRITE);
}

// One vector after the other, as a user who wants vectors gets them.
void start_sink(bufferevent* connection) {
  bufferevent_setwatermark(connection, EV_READ, bench::bulk_vector, 0);
  bufferevent_setcb(
      connection,
      [](bufferevent* from, void*) {
        evbuffer* const in = bufferevent_get_input(from);
        while (evbuffer_get_length(in) >= bench::bulk_vector)
          evbuffer_remove(in, bench::bulk_bytes().data(), bench::bulk_vector);
      },
      nullptr, on_end, nullptr);
  bufferevent_enable(connection, EV_READ);
}

void write_vector(bufferevent* connection, void*) {
  evbuffer_add_reference(bufferevent_get_output(connection), bench::bulk_bytes().data(), bench::bulk_vector,
                         nullptr, nullptr);
}

void start_source(bufferevent* connection) {
  bufferevent_setcb(connection, nullptr, write_vector, on_end, nullptr);
  bufferevent_enable(connection, EV_WRITE);
  write_vector(connection, nullptr);
}

void serve(event_base* base, Start start) {
  static Start on_connection = start;
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
      serve(base, start_echo);
      break;
    case bench::Mode::sink:
      serve(base, start_sink);
      break;
    case bench::Mode::source:
      serve(base, start_source);
      break;
    case bench::Mode::deadline:
      measure_deadlines(base);
      break;
    case bench::Mode::datagram:  // bufferevents are for streams
    case bench::Mode::post:
      bench::unsupported();
  }
}
