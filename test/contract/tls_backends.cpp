#include "contract/tls_backends.hpp"

#include <chrono>
#include <string>
#include <tsock/memory_stream.hpp>
#include <tsock/tls/accept.hpp>
#include <tsock/tls/connect.hpp>
#include <tsock/tls/peer.hpp>

#include "support/system.hpp"
#if defined(__linux__)
#include "support/kernel_tls_double.hpp"
#endif

namespace tsock::test {

namespace {

tls::PreSharedKey shared_key() { return {"contract", std::vector<std::byte>(32, std::byte{7})}; }

/// What encrypts what is sent.
enum class Sender : bool { openssl, kernel };

tls::ProtocolOptions only(tls::Version version, Sender sender) {
  // Tests destroy a stream where they want its peer to see the end.
  return {.lowest = version,
          .highest = version,
          .allow_missing_close_notify = true,
          .kernel_tls = sender == Sender::kernel};
}

tls::Context client_of(tls::Version version, Sender sender) {
  int err = 0;
  std::string reason;
  tls::Context context = tls::Context::client(
      {.trust = {}, .psk = shared_key(), .remembered_servers = 0, .protocol = only(version, sender)}, err,
      reason);
  BOOST_TEST_REQUIRE(err == 0, reason);
  return context;
}

tls::Context server_of(tls::Version version, Sender sender) {
  int err = 0;
  std::string reason;
  // A ticket is input that nobody reads in these tests, like any other that keeps a disconnect waiting.
  tls::ServerOptions options{.find_psk = [](std::string_view) { return shared_key(); },
                             .tickets = 0,
                             .protocol = only(version, sender)};
  tls::Context context = tls::Context::server(options, err, reason);
  BOOST_TEST_REQUIRE(err == 0, reason);
  return context;
}

// Nobody waits for the peer's goodbye, as the peer in these tests need not read.
std::pair<Stream, Stream> tls_on(LoopFixture& fixture, std::pair<Stream, Stream> pair, tls::Version version,
                                 unsigned floors = 1, Sender sender = Sender::openssl) {
  constexpr std::chrono::milliseconds no_time(0);
  for (unsigned floor = 0; floor < floors; ++floor) {
    Request<Stream> left =
        tls::connect(std::move(pair.first), client_of(version, sender), {.goodbye_time = no_time});
    Request<Stream> right =
        tls::accept(std::move(pair.second), server_of(version, sender), {.goodbye_time = no_time});
    int err = 0;
    pair.first = fixture.fetch(left, err);
    BOOST_TEST_REQUIRE(err == 0, left.reason());
    pair.second = fixture.fetch(right, err);
    BOOST_TEST_REQUIRE(err == 0, right.reason());
  }
  return pair;
}

auto tls_on_memory(std::size_t max_transfer, tls::Version version, unsigned floors) {
  return [=](LoopFixture& fixture) {
    return tls_on(fixture, memory_stream_pair(fixture.loop, {.max_transfer = max_transfer}), version, floors);
  };
}

#if defined(__linux__)
std::pair<Stream, Stream> sent_by_kernel(LoopFixture& fixture) {
  static const KernelTlsDouble kernel;
  auto pair = tls_on(fixture, fixture.tcp_pair(), tls::Version::tls1_3, 1, Sender::kernel);
  int err = 0;
  BOOST_TEST_REQUIRE(tls::peer(pair.first, err).kernel_sends);
  return pair;
}
#endif

// A close_notify is a record of two bytes.
constexpr BackendTraits on_tcp(std::size_t goodbye) {
  return {.sees_half_close = false,
          .late_reset = true,
          .socket = false,
          .descriptor = false,
          .floors = 1,
          .goodbye = goodbye};
}

// What is written waits for a reader, a close_notify, too.
constexpr BackendTraits on_memory(std::size_t max_transfer, unsigned floors) {
  return {.buffers = false,
          .half_close_needs_reader = true,
          .sees_half_close = false,
          .socket = false,
          .descriptor = false,
          .floors = floors,
          .max_transfer = max_transfer};
}

}  // namespace

std::vector<Backend> tls_backends() {
  using enum tls::Version;
  std::vector<Backend> backends{
      {"TLS 1.3 over tcp", [](LoopFixture& fixture) { return tls_on(fixture, fixture.tcp_pair(), tls1_3); },
       on_tcp(24)},
      {"TLS 1.2 over tcp", [](LoopFixture& fixture) { return tls_on(fixture, fixture.tcp_pair(), tls1_2); },
       on_tcp(23)},
      {"TLS 1.3 over memory, 1 byte at once", tls_on_memory(1, tls1_3, 1), on_memory(1, 1)},
      {"TLS 1.3 over TLS 1.3 over memory, 3 bytes at once", tls_on_memory(3, tls1_3, 2), on_memory(3, 2)},
  };
#if defined(__linux__)
  if (!uses_posix_alone())
    backends.push_back({"TLS 1.3 over tcp, sent by a kernel", sent_by_kernel, on_tcp(24)});
#endif
  return backends;
}

}  // namespace tsock::test
