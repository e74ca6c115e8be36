#include "contract/npa_backends.hpp"

#include <tsock/npa/accept.hpp>
#include <tsock/npa/connect.hpp>

namespace tsock::test {

namespace {

std::pair<Stream, Stream> npa_on(LoopFixture& fixture, std::pair<Stream, Stream> pair, npa::FileType mode) {
  int err = 0;
  const Address address = Address::inet_from_strings("ip", "127.0.0.1", 1, err);
  Request<Stream> left = npa::connect(std::move(pair.first), npa::Identity::anonymous(address, address));
  Request<Stream> right = npa::accept(
      std::move(pair.second), {.reply = {.file_type = mode}, .trusts = [](const Stream&) { return true; }});
  pair.first = fixture.fetch(left, err);
  BOOST_TEST_REQUIRE(err == 0, left.reason());
  pair.second = fixture.fetch(right, err);
  BOOST_TEST_REQUIRE(err == 0, right.reason());
  return pair;
}

constexpr BackendTraits byte_mode_on_unix{.reset = false};

}  // namespace

std::vector<Backend> npa_backends() {
  return {
      {"NPA byte mode over socketpair",
       [](LoopFixture& fixture) { return npa_on(fixture, fixture.unix_pair(), npa::FileType::byte_mode); },
       byte_mode_on_unix},
  };
}

}  // namespace tsock::test
