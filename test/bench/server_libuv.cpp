// Plain libuv as its users write it: one uv_write and one copy for each message, or with BATCH one write for
// all messages of a read.

#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
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

std::uint32_t length_at(const char* p) {
  const auto* const u = reinterpret_cast<const unsigned char*>(p);
  return std::uint32_t{u[0]} << 24U | std::uint32_t{u[1]} << 16U | std::uint32_t{u[2]} << 8U |
         std::uint32_t{u[3]};
}

void close(Connection* connection) {
  uv_close(reinterpret_cast<uv_handle_t*>(&connection->handle), [](uv_handle_t* handle) {
    const std::unique_ptr<Connection> owner(static_cast<Connection*>(handle->data));
  });
}

void send(Connection& connection, const char* bytes, std::size_t size) {
  auto write = std::make_unique<Write>();
  write->bytes.assign(bytes, bytes + size);
  write->request.data = write.get();
  const uv_buf_t buffer = uv_buf_init(write->bytes.data(), static_cast<unsigned>(size));
  uv_write(&write.release()->request, reinterpret_cast<uv_stream_t*>(&connection.handle), &buffer, 1,
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
    const std::size_t message = length_at(connection->in.data() + done) + 4U;
    if (connection->in.size() - done < message) break;
    if (!batch) send(*connection, connection->in.data() + done, message);
    done += message;
  }
  if (batch && done != 0) send(*connection, connection->in.data(), done);
  connection->in.erase(connection->in.begin(), connection->in.begin() + static_cast<std::ptrdiff_t>(done));
}

}  // namespace

int main(int argc, char** argv) {
  batch = argc > 2 && std::string_view(argv[2]) == "BATCH";
  uv_loop_t loop;
  uv_loop_init(&loop);
  uv_tcp_t listener;
  uv_tcp_init(&loop, &listener);
  const bench::ServerOptions options(argc, argv);
  uv_tcp_open(&listener, bench::listen_on_loopback(options.port));
  uv_listen(reinterpret_cast<uv_stream_t*>(&listener), 4096, [](uv_stream_t* server, int) {
    auto* const connection = std::make_unique<Connection>().release();
    uv_tcp_init(server->loop, &connection->handle);
    connection->handle.data = connection;
    uv_accept(server, reinterpret_cast<uv_stream_t*>(&connection->handle));
    uv_tcp_nodelay(&connection->handle, 1);
    uv_read_start(
        reinterpret_cast<uv_stream_t*>(&connection->handle),
        [](uv_handle_t*, std::size_t, uv_buf_t* buffer) {
          static std::vector<char> room(64 * 1024);
          *buffer = uv_buf_init(room.data(), static_cast<unsigned>(room.size()));
        },
        on_read);
  });
  uv_run(&loop, UV_RUN_DEFAULT);
}
