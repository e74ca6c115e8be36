#pragma once

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include <array>
#include <cstddef>

#include "bench/server_options.hpp"

namespace bench {

/// Begins with a connection, plain or TLS.
using Start = void (*)(bufferevent*);

inline void on_end(bufferevent* connection, short events, void*) {
  if ((events & BEV_EVENT_CONNECTED) == 0) bufferevent_free(connection);
}

inline void echo(bufferevent* connection, void*) {
  evbuffer* const in = bufferevent_get_input(connection);
  evbuffer* const out = bufferevent_get_output(connection);
  std::array<unsigned char, 4> header{};
  while (evbuffer_copyout(in, header.data(), header.size()) == 4) {
    const std::size_t message = message_size(header.data());
    if (evbuffer_get_length(in) < message) return;
    evbuffer_remove_buffer(in, out, message);
  }
}

inline void start_echo(bufferevent* connection) {
  bufferevent_setcb(connection, echo, nullptr, on_end, nullptr);
  bufferevent_enable(connection, EV_READ | EV_WRITE);
}

// One vector after the other, as a user who wants vectors gets them.
inline void start_sink(bufferevent* connection) {
  bufferevent_setwatermark(connection, EV_READ, bulk_vector, 0);
  bufferevent_setcb(
      connection,
      [](bufferevent* from, void*) {
        evbuffer* const in = bufferevent_get_input(from);
        while (evbuffer_get_length(in) >= bulk_vector) evbuffer_remove(in, bulk_bytes().data(), bulk_vector);
      },
      nullptr, on_end, nullptr);
  bufferevent_enable(connection, EV_READ);
}

inline void write_vector(bufferevent* connection, void*) {
  evbuffer_add_reference(bufferevent_get_output(connection), bulk_bytes().data(), bulk_vector, nullptr,
                         nullptr);
}

inline void start_source(bufferevent* connection) {
  bufferevent_setcb(connection, nullptr, write_vector, on_end, nullptr);
  bufferevent_enable(connection, EV_WRITE);
  write_vector(connection, nullptr);
}

}  // namespace bench
