// Plain libuv as its users write it: one uv_write and one copy for each message, or with the variant "batch"
// one write for all messages of a read.

#include <uv.h>

#include <cstddef>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "bench/server_options.hpp"

namespace {

bool batch = false;

struct Connection {
  uv_tcp_t handle{};
  std::vector<char> in;
};

struct Write {
  uv_write_t request{};
  std::vector<char> bytes;
};

template <class Handle>
uv_stream_t* stream_of(Handle* handle) {
  return reinterpret_cast<uv_stream_t*>(handle);
}

void close(Connection* connection) {
  uv_close(reinterpret_cast<uv_handle_t*>(&connection->handle), [](uv_handle_t* handle) {
    const std::unique_ptr<Connection> owner(static_cast<Connection*>(handle->data));
  });
}

Connection* accept(uv_stream_t* server) {
  auto* const connection = std::make_unique<Connection>().release();
  uv_tcp_init(server->loop, &connection->handle);
  connection->handle.data = connection;
  uv_accept(server, stream_of(&connection->handle));
  return connection;
}

void send(Connection& connection, const char* bytes, std::size_t size) {
  auto write = std::make_unique<Write>();
  write->bytes.assign(bytes, bytes + size);
  write->request.data = write.get();
  const uv_buf_t buffer = uv_buf_init(write->bytes.data(), static_cast<unsigned>(size));
  uv_write(&write.release()->request, stream_of(&connection.handle), &buffer, 1,
           [](uv_write_t* request, int) {
             const std::unique_ptr<Write> owner(static_cast<Write*>(request->data));
           });
}

void on_read(uv_stream_t* stream, ssize_t got, const uv_buf_t* buffer) {
  auto* const connection = static_cast<Connection*>(stream->data);
  if (got < 0) {
    close(connection);
    return;
  }
  connection->in.insert(connection->in.end(), buffer->base, buffer->base + got);
  std::size_t done = 0;
  while (connection->in.size() - done >= 4) {
    const std::size_t message = bench::message_size(connection->in.data() + done);
    if (connection->in.size() - done < message) break;
    if (!batch) send(*connection, connection->in.data() + done, message);
    done += message;
  }
  if (batch && done != 0) send(*connection, connection->in.data(), done);
  connection->in.erase(connection->in.begin(), connection->in.begin() + static_cast<std::ptrdiff_t>(done));
}

void on_echo_connection(uv_stream_t* server, int) {
  Connection* const connection = accept(server);
  uv_tcp_nodelay(&connection->handle, 1);
  uv_read_start(
      stream_of(&connection->handle),
      [](uv_handle_t*, std::size_t, uv_buf_t* buffer) {
        static std::vector<char> room(64 * 1024);
        *buffer = uv_buf_init(room.data(), static_cast<unsigned>(room.size()));
      },
      on_read);
}

// Fills one vector after the other.
void on_sink_connection(uv_stream_t* server, int) {
  static std::size_t filled = 0;
  uv_read_start(
      stream_of(&accept(server)->handle),
      [](uv_handle_t*, std::size_t, uv_buf_t* buffer) {
        const auto rest = bench::bulk_bytes().subspan(filled);
        *buffer = uv_buf_init(reinterpret_cast<char*>(rest.data()), static_cast<unsigned>(rest.size()));
      },
      [](uv_stream_t* stream, ssize_t got, const uv_buf_t*) {
        if (got < 0) {
          close(static_cast<Connection*>(stream->data));
        } else {
          filled = (filled + static_cast<std::size_t>(got)) % bench::bulk_vector;
        }
      });
}

void write_vector(Connection* connection) {
  static uv_write_t request;
  request.data = connection;
  const uv_buf_t buffer = uv_buf_init(reinterpret_cast<char*>(bench::bulk_bytes().data()),
                                      static_cast<unsigned>(bench::bulk_vector));
  uv_write(&request, stream_of(&connection->handle), &buffer, 1, [](uv_write_t* done, int status) {
    auto* const writer = static_cast<Connection*>(done->data);
    if (status != 0) {
      close(writer);
    } else {
      write_vector(writer);
    }
  });
}

void on_source_connection(uv_stream_t* server, int) { write_vector(accept(server)); }

void serve(uv_loop_t& loop, uv_connection_cb on_connection) {
  uv_tcp_t listener;
  uv_tcp_init(&loop, &listener);
  uv_tcp_open(&listener, bench::listen_on_loopback());
  uv_listen(stream_of(&listener), 4096, on_connection);
  uv_run(&loop, UV_RUN_DEFAULT);
}

struct Send {
  uv_udp_send_t request{};
  std::vector<char> bytes;
};

void send_datagram(uv_udp_t* socket, const char* bytes, std::size_t size, const sockaddr* peer) {
  if (batch) {
    const uv_buf_t now = uv_buf_init(const_cast<char*>(bytes), static_cast<unsigned>(size));
    if (uv_udp_try_send(socket, &now, 1, peer) >= 0) return;
  }
  auto send = std::make_unique<Send>();
  send->bytes.assign(bytes, bytes + size);
  send->request.data = send.get();
  const uv_buf_t buffer = uv_buf_init(send->bytes.data(), static_cast<unsigned>(size));
  uv_udp_send(&send.release()->request, socket, &buffer, 1, peer, [](uv_udp_send_t* request, int) {
    const std::unique_ptr<Send> owner(static_cast<Send*>(request->data));
  });
}

// The variant "batch" receives with recvmmsg and sends at once; the other one has a request for each
// datagram.
void serve_datagrams(uv_loop_t& loop, const std::vector<int>& sockets) {
  std::deque<uv_udp_t> handles;
  for (const int fd : sockets) {
    uv_udp_t& handle = handles.emplace_back();
    uv_udp_init_ex(&loop, &handle, batch ? unsigned{UV_UDP_RECVMMSG} : 0U);
    uv_udp_open(&handle, fd);
    uv_udp_recv_start(
        &handle,
        [](uv_handle_t*, std::size_t, uv_buf_t* buffer) {
          static std::vector<char> room(20 * 64 * 1024);
          *buffer = uv_buf_init(room.data(), static_cast<unsigned>(batch ? room.size() : 64 * 1024));
        },
        [](uv_udp_t* socket, ssize_t got, const uv_buf_t* buffer, const sockaddr* peer, unsigned) {
          if (got >= 0 && peer != nullptr) {
            send_datagram(socket, buffer->base, static_cast<std::size_t>(got), peer);
          }
        });
  }
  uv_run(&loop, UV_RUN_DEFAULT);
}

void measure_deadlines(uv_loop_t& loop) {
  std::vector<uv_timer_t> timers(bench::waiting_deadlines + 1);
  for (uv_timer_t& timer : timers) {
    uv_timer_init(&loop, &timer);
    uv_timer_start(
        &timer, [](uv_timer_t*) {}, 60'000, 0);
  }
  uv_timer_t& one = timers.back();
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < bench::deadline_operations; ++i) {
    uv_timer_start(
        &one, [](uv_timer_t*) {}, 5'000, 0);
    uv_timer_stop(&one);
  }
  bench::report(bench::deadline_operations, std::chrono::steady_clock::now() - begin);
}

// uv_async_send joins wake-ups, so the functions travel in a queue under a lock.
struct Inbox {
  std::mutex mutex;
  std::deque<std::function<void()>> functions;
  uv_async_t wake{};
};

void measure_posts(uv_loop_t& loop) {
  Inbox inbox;
  std::size_t ran = 0;
  inbox.wake.data = &inbox;
  uv_async_init(&loop, &inbox.wake, [](uv_async_t* handle) {
    auto& from = *static_cast<Inbox*>(handle->data);
    std::deque<std::function<void()>> taken;
    {
      const std::lock_guard<std::mutex> lock(from.mutex);
      taken.swap(from.functions);
    }
    for (const auto& function : taken) function();
  });
  const auto begin = std::chrono::steady_clock::now();
  std::thread producer([&] {
    for (std::size_t i = 0; i < bench::post_operations; ++i) {
      {
        const std::lock_guard<std::mutex> lock(inbox.mutex);
        inbox.functions.emplace_back([&] {
          if (++ran == bench::post_operations) uv_stop(inbox.wake.loop);
        });
      }
      uv_async_send(&inbox.wake);
    }
  });
  uv_run(&loop, UV_RUN_DEFAULT);
  const auto end = std::chrono::steady_clock::now();
  producer.join();
  bench::report(ran, end - begin);
}

}  // namespace

int main(int argc, char** argv) {
  const bench::ServerOptions options(argc, argv);
  batch = options.variant == "batch";
  uv_loop_t loop;
  uv_loop_init(&loop);
  switch (options.mode) {
    case bench::Mode::echo:
      serve(loop, on_echo_connection);
      break;
    case bench::Mode::sink:
      serve(loop, on_sink_connection);
      break;
    case bench::Mode::source:
      serve(loop, on_source_connection);
      break;
    case bench::Mode::datagram:
      serve_datagrams(loop, bench::datagram_sockets(options.sockets));
      break;
    case bench::Mode::deadline:
      measure_deadlines(loop);
      break;
    case bench::Mode::post:
      measure_posts(loop);
      break;
  }
}
