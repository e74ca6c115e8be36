// libevent's bufferevents over OpenSSL, with the sessions of server_libevent.cpp.

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "bench/libevent_sessions.hpp"
#include "bench/server_options.hpp"
#include "bench/tls_context.hpp"

namespace {

struct Server {
  event_base* base;
  SSL_CTX* context;
  bench::Start start;
};

void serve(bench::Start start) {
  Server server{event_base_new(), bench::make_tls_server_context(), start};
  SSL_CTX_set_mode(server.context, SSL_MODE_RELEASE_BUFFERS);
  event* const accepting = event_new(
      server.base, bench::listen_on_loopback(), EV_READ | EV_PERSIST,
      [](evutil_socket_t from, short, void* argument) {
        const Server& to = *static_cast<const Server*>(argument);
        for (;;) {
          const int fd = ::accept4(from, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
          if (fd < 0) return;
          bufferevent* const connection = bufferevent_openssl_socket_new(
              to.base, fd, SSL_new(to.context), BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
          bufferevent_openssl_set_allow_dirty_shutdown(connection, 1);
          to.start(connection);
        }
      },
      &server);
  event_add(accepting, nullptr);
  event_base_dispatch(server.base);
}

}  // namespace

int main(int argc, char** argv) {
  const bench::ServerOptions options(argc, argv);
  switch (options.mode) {
    case bench::Mode::echo:
      serve(bench::start_echo);
      break;
    case bench::Mode::sink:
      serve(bench::start_sink);
      break;
    case bench::Mode::source:
      serve(bench::start_source);
      break;
    case bench::Mode::datagram:
    case bench::Mode::deadline:
    case bench::Mode::post:
      bench::unsupported();
  }
}
