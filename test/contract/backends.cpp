#include "contract/backends.hpp"

#include <memory>
#include <tsock/layer/layer_over.hpp>
#include <tsock/loop.hpp>
#include <tsock/memory_stream.hpp>
#include <tsock/proxy/accept.hpp>
#include <tsock/proxy/send_header.hpp>

#include "contract/system_backends.hpp"
#include "layer/authenticate.hpp"
#include "support/toy_engine.hpp"
#include "support/toy_mechanism.hpp"

#if defined TSOCK_WITH_GSSAPI && !defined _WIN32
#include "contract/gssapi_backends.hpp"
#endif
#ifdef TSOCK_WITH_NPA
#include "contract/npa_backends.hpp"
#endif
#ifdef TSOCK_WITH_SASL
#include "contract/sasl_backends.hpp"
#endif
#ifdef TSOCK_WITH_TLS
#include "contract/tls_backends.hpp"
#endif

namespace tsock::test {

namespace {

Stream release_and_adopt(LoopFixture& fixture, Stream stream) {
  int err = 0;
  std::vector<std::byte> unread;
  UniqueSocket fd = stream.release_socket(unread, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST(unread.empty());
  return adopt(fixture, std::move(fd));
}

std::pair<Stream, Stream> released_and_adopted(LoopFixture& fixture) {
  auto pair = fixture.tcp_pair();
  Stream left = release_and_adopt(fixture, std::move(pair.first));
  return {std::move(left), release_and_adopt(fixture, std::move(pair.second))};
}

// The first one takes from the kernel what is asked for and 64 bytes more.
std::pair<Stream, Stream> reading_ahead(LoopFixture& fixture) {
  auto pair = fixture.tcp_pair();
  BOOST_TEST_REQUIRE(pair.first.set_options({.max_read_ahead = 64}) == 0);
  return pair;
}

auto memory(const MemoryStreamOptions& options) {
  return [options](LoopFixture& fixture) { return memory_stream_pair(fixture.loop, options); };
}

// A layer on both ends of a pair, as often as there are floors. Nobody waits for the peer's goodbye, as the
// peer in these tests need not read.
std::pair<Stream, Stream> toys_on(LoopFixture& fixture, std::pair<Stream, Stream> pair, unsigned floors = 1,
                                  const ToyEngine::Kind& kind = {}) {
  using enum ToyEngine::Side;
  constexpr layer::LayerOptions options{.goodbye_time = std::chrono::milliseconds(0)};
  for (unsigned floor = 0; floor < floors; ++floor) {
    Request<Stream> left = layer::layer_over(std::move(pair.first), std::make_unique<ToyEngine>(client, kind),
                                             "toy_connect", options);
    Request<Stream> right = layer::layer_over(
        std::move(pair.second), std::make_unique<ToyEngine>(server, kind), "toy_accept", options);
    int err = 0;
    pair.first = fixture.fetch(left, err);
    BOOST_TEST_REQUIRE(err == 0);
    pair.second = fixture.fetch(right, err);
    BOOST_TEST_REQUIRE(err == 0);
  }
  return pair;
}

auto toys_on_memory(std::size_t max_transfer, unsigned floors) {
  return [max_transfer, floors](LoopFixture& fixture) {
    return toys_on(fixture, memory_stream_pair(fixture.loop, {.max_transfer = max_transfer}), floors,
                   {.may_be_cut = true, .half_close = false});
  };
}

// The same with the tokens of a mechanism, and a layer that has no goodbye.
std::pair<Stream, Stream> toy_mechanisms_on(LoopFixture& fixture, std::pair<Stream, Stream> pair,
                                            bool protects = true) {
  const auto authenticate = [protects](Stream below, bool begins) {
    return layer::authenticate(
        std::move(below), std::make_shared<ToyMechanism>(begins, ToyMechanism::Kind{.protects = protects}),
        {}, "toy_authenticate");
  };
  Request<Stream> left = authenticate(std::move(pair.first), true);
  Request<Stream> right = authenticate(std::move(pair.second), false);
  int err = 0;
  pair.first = fixture.fetch(left, err);
  BOOST_TEST_REQUIRE(err == 0, left.reason());
  pair.second = fixture.fetch(right, err);
  BOOST_TEST_REQUIRE(err == 0, right.reason());
  return pair;
}

auto toy_mechanisms_on_memory(std::size_t max_transfer) {
  return [max_transfer](LoopFixture& fixture) {
    return toy_mechanisms_on(fixture, memory_stream_pair(fixture.loop, {.max_transfer = max_transfer}));
  };
}

// The first one came with a PROXY header: its addresses are others, and all else is that of the stream below.
std::pair<Stream, Stream> behind_proxy(LoopFixture& fixture, std::pair<Stream, Stream> pair) {
  const proxy::Header header{.source = loopback_v4(1), .destination = loopback_v4(2)};
  Request<ssize_t> sending = proxy::send_header(pair.second, header);
  Request<Stream> accepting = proxy::accept(std::move(pair.first));
  int err = 0;
  pair.first = fixture.fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0, accepting.reason());
  BOOST_TEST_REQUIRE(fixture.error_of(sending) == 0);
  return pair;
}

constexpr BackendTraits tcp{.late_reset = true};
constexpr BackendTraits unbuffered{
    .buffers = false, .socket = false, .descriptor = false, .read_ahead = false};

constexpr BackendTraits layered_tcp{.sees_half_close = false,
                                    .late_reset = true,
                                    .socket = false,
                                    .descriptor = false,
                                    .floors = 1,
                                    .goodbye = 2};

constexpr BackendTraits messages_over_tcp{.half_close = false,
                                          .sees_half_close = false,
                                          .late_reset = true,
                                          .socket = false,
                                          .descriptor = false,
                                          .floors = 1};

// What is written waits for a reader, as in the pair below.
constexpr BackendTraits layered_memory(std::size_t max_transfer, unsigned floors) {
  return {.buffers = false,
          .half_close = false,
          .socket = false,
          .descriptor = false,
          .floors = floors,
          .max_transfer = max_transfer};
}

BackendTraits at_most(std::size_t max_transfer) {
  BackendTraits traits = unbuffered;
  traits.max_transfer = max_transfer;
  return traits;
}

}  // namespace

// Add a new one here, in a line of its own.
BackendsUnderTest backends_under_test() {
  std::vector<Backend> both_ways{
      {"tcp v4", [](LoopFixture& fixture) { return fixture.tcp_pair(); }, tcp},
      {"tcp v6", [](LoopFixture& fixture) { return fixture.tcp6_pair(); }, tcp, repeats},
      {"released and adopted", released_and_adopted, tcp, repeats},
      {"tcp v4, limited to 32 KiB at once",
       [](LoopFixture& fixture) { return limited(fixture, fixture.tcp_pair(), no_rate, 32768); }, tcp},
      {"memory, limited to 64 KiB a millisecond",
       [](LoopFixture& fixture) {
         return limited(fixture, memory_stream_pair(fixture.loop, {}), slow_rate, 65536);
       },
       unbuffered},
      {"memory, limited to 3 bytes at once",
       [](LoopFixture& fixture) {
         return limited(fixture, memory_stream_pair(fixture.loop, {}), no_rate, 3);
       },
       with(at_most(3), &BackendTraits::tells_unread, false)},
      {"toy over limited tcp",
       [](LoopFixture& fixture) {
         return toys_on(fixture, limited(fixture, fixture.tcp_pair(), no_rate, 16384), 1,
                        {.may_be_cut = true});
       },
       layered_tcp},
      {"tcp v4, 64 bytes ahead", reading_ahead, tcp},
      {"memory", memory({}), unbuffered},
      {"memory, read ahead", memory({.read_ahead = true}),
       with(unbuffered, &BackendTraits::read_ahead, true)},
      {"memory, 1 byte at once", memory({.max_transfer = 1}), at_most(1)},
      {"memory, 3 bytes at once", memory({.max_transfer = 3}), at_most(3)},
      {"memory, no half-close", memory({.half_close = false}),
       with(unbuffered, &BackendTraits::half_close, false)},
      {"toy over tcp",
       [](LoopFixture& fixture) { return toys_on(fixture, fixture.tcp_pair(), 1, {.may_be_cut = true}); },
       layered_tcp},
      {"toy over memory, 1 byte at once", toys_on_memory(1, 1), layered_memory(1, 1)},
      {"toy over toy over memory, 3 bytes at once", toys_on_memory(3, 2), layered_memory(3, 2)},
      {"toy mechanism over tcp",
       [](LoopFixture& fixture) { return toy_mechanisms_on(fixture, fixture.tcp_pair()); },
       messages_over_tcp},
      {"toy mechanism over memory, 1 byte at once", toy_mechanisms_on_memory(1), layered_memory(1, 1)},
      {"toy mechanism without a layer over tcp",
       [](LoopFixture& fixture) { return toy_mechanisms_on(fixture, fixture.tcp_pair(), false); }, tcp,
       repeats},
      {"PROXY header over tcp",
       [](LoopFixture& fixture) { return behind_proxy(fixture, fixture.tcp_pair()); }, tcp},
      {"PROXY header over memory, 3 bytes at once",
       [](LoopFixture& fixture) {
         return behind_proxy(fixture, memory_stream_pair(fixture.loop, {.max_transfer = 3}));
       },
       at_most(3)},
  };
#ifdef TSOCK_WITH_NPA
  for (Backend& backend : npa_backends()) both_ways.push_back(std::move(backend));
#endif
#ifdef TSOCK_WITH_SASL
  for (Backend& backend : sasl_backends()) both_ways.push_back(std::move(backend));
#endif
#ifdef TSOCK_WITH_TLS
  for (Backend& backend : tls_backends()) both_ways.push_back(std::move(backend));
#endif
#if defined TSOCK_WITH_GSSAPI && !defined _WIN32
  for (Backend& backend : gssapi_backends()) both_ways.push_back(std::move(backend));
#endif
  BackendsUnderTest backends{.both_ways = std::move(both_ways)};
  add_backends_of_system(backends);
  return backends;
}

}  // namespace tsock::test
