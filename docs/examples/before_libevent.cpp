// The server of the README as it is written on libevent: it echoes lines. from-libevent.md compares the two.
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

constexpr std::size_t max_line = 4096;

void on_read(bufferevent* session, void* /*context*/) {
  evbuffer* const input = bufferevent_get_input(session);
  evbuffer* const output = bufferevent_get_output(session);
  for (;;) {
    std::size_t ending = 0;
    const evbuffer_ptr end = evbuffer_search_eol(input, nullptr, &ending, EVBUFFER_EOL_LF);
    const std::size_t waiting = evbuffer_get_length(input);
    if (end.pos < 0 ? waiting > max_line : static_cast<std::size_t>(end.pos) > max_line)
      return bufferevent_free(session);
    if (end.pos < 0) return;
    // Moves the bytes without a copy. A client that does not read lets this grow without end.
    if (evbuffer_remove_buffer(input, output, static_cast<std::size_t>(end.pos) + ending) < 0)
      return bufferevent_free(session);
  }
}

// The end, an error or the time limit; what is still in the output is lost.
void on_event(bufferevent* session, short /*what*/, void* /*context*/) { bufferevent_free(session); }

void on_accept(evconnlistener* listener, evutil_socket_t fd, sockaddr* /*address*/, int /*length*/,
               void* /*context*/) {
  bufferevent* const session =
      bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
  if (session == nullptr) return static_cast<void>(evutil_closesocket(fd));
  const timeval idle{.tv_sec = 300, .tv_usec = 0};
  bufferevent_set_timeouts(session, &idle, nullptr);
  bufferevent_setcb(session, on_read, nullptr, on_event, nullptr);
  bufferevent_enable(session, EV_READ | EV_WRITE);
}

}  // namespace

int main(int argc, char** argv) {
  event_base* const base = event_base_new();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 7000));
  evconnlistener* const listener =
      evconnlistener_new_bind(base, on_accept, nullptr, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 128,
                              reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (listener == nullptr) return std::perror("listen"), 1;
  socklen_t length = sizeof address;
  getsockname(evconnlistener_get_fd(listener), reinterpret_cast<sockaddr*>(&address), &length);
  std::printf("listening on ipv4:127.0.0.1:%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  event_base_dispatch(base);
  evconnlistener_free(listener);
  event_base_free(base);
}
