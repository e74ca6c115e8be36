#include "contract/sasl_backends.hpp"

#include <cstdint>
#include <tsock/memory_stream.hpp>

#include "support/sasl_fixture.hpp"

#ifdef TSOCK_WITH_TLS
#include "contract/tls_backends.hpp"
#endif

namespace tsock::test {

namespace {

// Short, so that every test has several of them.
constexpr std::uint32_t longest_record = 4096;

std::pair<Stream, Stream> sasl_on(LoopFixture& fixture, std::pair<Stream, Stream> below) {
  sasl::ClientOptions client = sasl_client_options("DIGEST-MD5");
  sasl::ServerOptions server = sasl_server_options();
  client.security.longest_message = longest_record;
  client.security.highest_strength = 1;  // see ignore_leaks_of_digest_md5()
  server.security.longest_message = longest_record;
  SaslPair pair = authenticated(client, server);
  Request<Stream> left = sasl::wrap(std::move(below.first), std::move(pair.client));
  Request<Stream> right = sasl::wrap(std::move(below.second), std::move(pair.server));
  int err = 0;
  below.first = fixture.fetch(left, err);
  BOOST_TEST_REQUIRE(err == 0, left.reason());
  below.second = fixture.fetch(right, err);
  BOOST_TEST_REQUIRE(err == 0, right.reason());
  return below;
}

auto sasl_on_memory(std::size_t max_transfer) {
  return [=](LoopFixture& fixture) {
    return sasl_on(fixture, memory_stream_pair(fixture.loop, {.max_transfer = max_transfer}));
  };
}

}  // namespace

std::vector<Backend> sasl_backends() {
  std::vector<Backend> backends{
      {"SASL over tcp",
       [](LoopFixture& fixture) { return sasl_on(fixture, fixture.tcp_pair()); },
       {.half_close = false,
        .sees_half_close = false,
        .late_reset = true,
        .socket = false,
        .descriptor = false,
        .floors = 1}},
      {"SASL over memory, 1 byte at once",
       sasl_on_memory(1),
       {.buffers = false,
        .half_close = false,
        .sees_half_close = false,
        .socket = false,
        .descriptor = false,
        .floors = 1,
        .max_transfer = 1}},
  };
#ifdef TSOCK_WITH_TLS
  const Backend tls = tls_backends().front();
  BackendTraits traits = tls.traits;
  traits.half_close = false;
  ++traits.floors;
  backends.push_back({"SASL over TLS 1.3 over tcp",
                      [make = tls.make](LoopFixture& fixture) { return sasl_on(fixture, make(fixture)); },
                      traits});
#endif
  return backends;
}

}  // namespace tsock::test
