// tsock over TLS as its users write it, with the sessions of server_tsock.cpp: a listener gives streams whose
// handshake is done, which are streams like any others.

#include <tsock/tls/tls.hpp>
#include <tsock/tsock.hpp>
#include <utility>

#include "bench/server_options.hpp"
#include "bench/tsock_sessions.hpp"
#include "bench/tsock_tls_context.hpp"

namespace {

template <class F>
int serve(F on_stream) {
  tsock::Loop loop;
  int err = 0;
  const auto address = tsock::Address::inet_from_strings("ipv4", "127.0.0.1", 0, err);
  auto below = tsock::Listener::tcp(loop, address, {.backlog = 4096}, err);
  if (err != 0) return 1;
  bench::announce({below.local_address().port().value_or(0)});
  auto listener = tsock::tls::listen(std::move(below), bench::make_tsock_tls_context());
  tsock::for_each_accept(listener, on_stream);
  loop.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::ServerOptions options(argc, argv);
  switch (options.mode) {
    case bench::Mode::echo:
      return serve([](tsock::Stream stream) { (new bench::EchoSession(std::move(stream)))->start(); });
    case bench::Mode::sink:
    case bench::Mode::source:
      return serve([is_sink = options.mode == bench::Mode::sink](tsock::Stream stream) {
        (new bench::BulkSession(std::move(stream), is_sink))->start();
      });
    case bench::Mode::datagram:
    case bench::Mode::deadline:
    case bench::Mode::post:
      bench::unsupported();
  }
  return 2;
}
