// tsock over GSSAPI as its users write it, with the sessions of server_tsock.cpp.
// Variants: (none) for messages that are sealed, "integrity" for messages that are signed.

#include <tsock/gssapi/gssapi.hpp>
#include <tsock/layer/listen_over.hpp>
#include <tsock/tsock.hpp>
#include <utility>

#include "bench/server_options.hpp"
#include "bench/tsock_sessions.hpp"

namespace {

template <class F>
int serve(const tsock::gssapi::AcceptOptions& each, F on_stream) {
  tsock::Loop loop;
  int err = 0;
  const auto address = tsock::Address::inet_from_strings("ipv4", "127.0.0.1", 0, err);
  auto below = tsock::Listener::tcp(loop, address, {.backlog = 4096}, err);
  if (err != 0) return 1;
  bench::announce({below.local_address().port().value_or(0)});
  auto listener = tsock::layer::listen_over(std::move(below), [&each](tsock::Stream stream) {
    return tsock::gssapi::accept(std::move(stream), each);
  });
  tsock::for_each_accept(listener, on_stream);
  loop.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::ServerOptions options(argc, argv);
  tsock::gssapi::AcceptOptions each;
  if (options.variant == "integrity") each.protection = tsock::gssapi::Protection::integrity;
  switch (options.mode) {
    case bench::Mode::echo:
      return serve(each, [](tsock::Stream stream) { (new bench::EchoSession(std::move(stream)))->start(); });
    case bench::Mode::sink:
    case bench::Mode::source:
      return serve(each, [is_sink = options.mode == bench::Mode::sink](tsock::Stream stream) {
        (new bench::BulkSession(std::move(stream), is_sink))->start();
      });
    case bench::Mode::datagram:
    case bench::Mode::deadline:
    case bench::Mode::post:
      bench::unsupported();
  }
  return 2;
}
