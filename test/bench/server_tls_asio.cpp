// Asio's ssl::stream as its users write it, with the sessions of server_asio.cpp.

#include <asio.hpp>
#include <asio/ssl.hpp>
#include <memory>
#include <system_error>
#include <utility>

#include "bench/asio_sessions.hpp"
#include "bench/server_options.hpp"
#include "bench/tls_context.hpp"

namespace {

using asio::ip::tcp;
using TlsStream = asio::ssl::stream<tcp::socket>;

template <class Session>
void accept(tcp::acceptor& acceptor, asio::ssl::context& context) {
  acceptor.async_accept([&](std::error_code err, tcp::socket socket) {
    if (!err) {
      socket.set_option(tcp::no_delay(true));
      auto stream = std::make_shared<TlsStream>(std::move(socket), context);
      stream->async_handshake(TlsStream::server, [stream](std::error_code failure) {
        if (!failure) std::make_shared<Session>(std::move(*stream))->start();
      });
    }
    accept<Session>(acceptor, context);
  });
}

template <class Session>
void serve() {
  asio::io_context loop(1);
  asio::ssl::context context(asio::ssl::context::tlsv13_server);
  bench::configure_tls_server(context.native_handle());
  tcp::acceptor acceptor(loop, tcp::v4(), bench::listen_on_loopback());
  accept<Session>(acceptor, context);
  loop.run();
}

}  // namespace

int main(int argc, char** argv) {
  const bench::ServerOptions options(argc, argv);
  switch (options.mode) {
    case bench::Mode::echo:
      if (options.variant == "readahead") {
        serve<bench::ReadAheadSession<TlsStream>>();
      } else {
        serve<bench::MessageSession<TlsStream>>();
      }
      break;
    case bench::Mode::sink:
      serve<bench::SinkSession<TlsStream>>();
      break;
    case bench::Mode::source:
      serve<bench::SourceSession<TlsStream>>();
      break;
    case bench::Mode::datagram:
    case bench::Mode::deadline:
    case bench::Mode::post:
      bench::unsupported();
  }
}
