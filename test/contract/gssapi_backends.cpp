#include "contract/gssapi_backends.hpp"

#include <string>
#include <tsock/gssapi/accept.hpp>
#include <tsock/gssapi/connect.hpp>
#include <tsock/memory_stream.hpp>

#include "support/kdc.hpp"

#ifdef TSOCK_WITH_TLS
#include "contract/tls_backends.hpp"
#endif

namespace tsock::test {

namespace {

std::pair<Stream, Stream> gssapi_on(LoopFixture& fixture, std::pair<Stream, Stream> pair,
                                    gssapi::Protection protection, unsigned floors = 1) {
  BOOST_TEST_REQUIRE(Kdc::get() != nullptr);
  for (unsigned floor = 0; floor < floors; ++floor) {
    Request<Stream> left =
        gssapi::connect(std::move(pair.first), {.target = "gsstest@localhost", .protection = protection});
    Request<Stream> right = gssapi::accept(std::move(pair.second), {.protection = protection});
    int err = 0;
    pair.first = fixture.fetch(left, err);
    BOOST_TEST_REQUIRE(err == 0, left.reason());
    pair.second = fixture.fetch(right, err);
    BOOST_TEST_REQUIRE(err == 0, right.reason());
  }
  return pair;
}

auto gssapi_on_memory(std::size_t max_transfer, unsigned floors) {
  return [=](LoopFixture& fixture) {
    return gssapi_on(fixture, memory_stream_pair(fixture.loop, {.max_transfer = max_transfer}),
                     gssapi::Protection::confidentiality, floors);
  };
}

constexpr BackendTraits gssapi_over_tcp{.half_close = false,
                                        .sees_half_close = false,
                                        .late_reset = true,
                                        .socket = false,
                                        .descriptor = false,
                                        .floors = 1};

constexpr BackendTraits gssapi_over_memory(std::size_t max_transfer, unsigned floors) {
  return {.buffers = false,
          .half_close = false,
          .socket = false,
          .descriptor = false,
          .floors = floors,
          .max_transfer = max_transfer};
}

// A path through the library that the toy mechanism takes, too.
constexpr bool gssapi_repeats = true;

}  // namespace

std::vector<Backend> gssapi_backends() {
  // Made when it is first needed: the list is asked for before the program begins.
  if (!Kdc::is_installed()) return {};
  std::vector<Backend> backends{
      {"GSSAPI, sealed, over tcp",
       [](LoopFixture& fixture) {
         return gssapi_on(fixture, fixture.tcp_pair(), gssapi::Protection::confidentiality);
       },
       gssapi_over_tcp},
      {"GSSAPI, signed, over tcp",
       [](LoopFixture& fixture) {
         return gssapi_on(fixture, fixture.tcp_pair(), gssapi::Protection::integrity);
       },
       gssapi_over_tcp, gssapi_repeats},
      {"GSSAPI over memory, 1 byte at once", gssapi_on_memory(1, 1), gssapi_over_memory(1, 1),
       gssapi_repeats},
      {"GSSAPI over GSSAPI over memory, 3 bytes at once", gssapi_on_memory(3, 2), gssapi_over_memory(3, 2),
       gssapi_repeats},
  };
#ifdef TSOCK_WITH_TLS
  const Backend tls = tls_backends().front();
  BackendTraits traits = tls.traits;
  traits.half_close = false;
  ++traits.floors;
  backends.push_back({"GSSAPI over TLS 1.3 over tcp",
                      [make = tls.make](LoopFixture& fixture) {
                        return gssapi_on(fixture, make(fixture), gssapi::Protection::confidentiality);
                      },
                      traits, gssapi_repeats});
#endif
  return backends;
}

}  // namespace tsock::test
