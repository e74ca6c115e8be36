// The server of the README as it is written on libuv: it echoes lines. from-libuv.md compares the two.
#include <uv.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

constexpr std::size_t max_line = 4096;
constexpr std::uint64_t idle_ms = 5UL * 60 * 1000;

struct Session {
  uv_tcp_t tcp{};
  uv_timer_t idle{};
  std::array<char, 65536> chunk{};
  std::string line;  // what has arrived of the next one
  int open_handles = 2;
  bool closing = false;
};

struct Write {
  uv_write_t request{};
  std::string text;
};

// The memory of the handles may go once both are closed, not before.
void on_closed(uv_handle_t* handle) {
  auto* const session = static_cast<Session*>(handle->data);
  if (--session->open_handles == 0) delete session;
}

void close(Session* session) {
  if (session->closing) return;
  session->closing = true;
  uv_close(reinterpret_cast<uv_handle_t*>(&session->tcp), on_closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&session->idle), on_closed);
}

void on_idle(uv_timer_t* timer) { close(static_cast<Session*>(timer->data)); }

void on_written(uv_write_t* request, int status) {
  auto* const write = static_cast<Write*>(request->data);
  if (status < 0 && status != UV_ECANCELED) close(static_cast<Session*>(request->handle->data));
  delete write;
}

void echo(Session* session, std::string_view line) {
  auto* const write = new Write{.text = std::string(line)};
  write->request.data = write;
  const uv_buf_t buffer = uv_buf_init(write->text.data(), static_cast<unsigned>(write->text.size()));
  const int status =
      uv_write(&write->request, reinterpret_cast<uv_stream_t*>(&session->tcp), &buffer, 1, on_written);
  if (status < 0) {
    delete write;
    close(session);
  }
}

void on_allocate(uv_handle_t* handle, std::size_t /*suggested*/, uv_buf_t* buffer) {
  auto* const session = static_cast<Session*>(handle->data);
  *buffer = uv_buf_init(session->chunk.data(), static_cast<unsigned>(session->chunk.size()));
}

void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
  auto* const session = static_cast<Session*>(stream->data);
  if (count < 0) return close(session);
  uv_timer_start(&session->idle, on_idle, idle_ms, 0);
  session->line.append(buffer->base, static_cast<std::size_t>(count));
  std::size_t begin = 0;
  for (;;) {
    const std::size_t end = session->line.find('\n', begin);
    if (end == std::string::npos) break;
    if (end - begin > max_line) return close(session);
    echo(session, std::string_view(session->line).substr(begin, end + 1 - begin));
    if (session->closing) return;
    begin = end + 1;
  }
  session->line.erase(0, begin);
  if (session->line.size() > max_line) close(session);
}

void on_connection(uv_stream_t* listener, int status) {
  if (status < 0) {  // EMFILE among others: libuv tells this again and again
    std::fprintf(stderr, "accept: %s\n", uv_strerror(status));
    return;
  }
  auto* const session = new Session;
  uv_tcp_init(listener->loop, &session->tcp);
  uv_timer_init(listener->loop, &session->idle);
  session->tcp.data = session->idle.data = session;
  if (uv_accept(listener, reinterpret_cast<uv_stream_t*>(&session->tcp)) < 0) return close(session);
  uv_timer_start(&session->idle, on_idle, idle_ms, 0);
  if (uv_read_start(reinterpret_cast<uv_stream_t*>(&session->tcp), on_allocate, on_read) < 0) close(session);
}

}  // namespace

int main(int argc, char** argv) {
  uv_loop_t* const loop = uv_default_loop();
  sockaddr_in address{};
  uv_tcp_t listener;
  uv_tcp_init(loop, &listener);
  int status = uv_ip4_addr("127.0.0.1", argc > 1 ? std::atoi(argv[1]) : 7000, &address);
  if (status == 0) status = uv_tcp_bind(&listener, reinterpret_cast<const sockaddr*>(&address), 0);
  if (status == 0) status = uv_listen(reinterpret_cast<uv_stream_t*>(&listener), 128, on_connection);
  int length = sizeof address;
  if (status == 0) status = uv_tcp_getsockname(&listener, reinterpret_cast<sockaddr*>(&address), &length);
  if (status < 0) return std::fprintf(stderr, "%s\n", uv_strerror(status)), 1;
  std::printf("listening on ipv4:127.0.0.1:%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return uv_run(loop, UV_RUN_DEFAULT);
}
