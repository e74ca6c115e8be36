#include "contract/npa_backends.hpp"

#include <limits>
#include <tsock/memory_stream.hpp>
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

// Its buffers hold half of the longest message, so that one write can be more than they hold.
std::pair<Stream, Stream> small_pair(LoopFixture& fixture) {
  auto pair = fixture.unix_pair();
  for (Stream* const stream : {&pair.first, &pair.second})
    BOOST_TEST_REQUIRE(stream->set_options({.send_buffer = 16384}) == 0);
  return pair;
}

constexpr BackendTraits byte_mode_on_unix{.reset = false};

constexpr BackendTraits messages{.half_close = false,
                                 .sees_half_close = false,
                                 .reset = false,
                                 .socket = false,
                                 .descriptor = false,
                                 .read_ahead = false,
                                 .floors = 1,
                                 .longest_write = 65535};

constexpr BackendTraits messages_in_memory(std::size_t max_transfer) {
  BackendTraits traits = messages;
  traits.buffers = false;
  traits.reset = true;
  traits.max_transfer = max_transfer;
  return traits;
}

auto messages_on_memory(std::size_t max_transfer) {
  return [max_transfer](LoopFixture& fixture) {
    return npa_on(fixture, memory_stream_pair(fixture.loop, {.max_transfer = max_transfer}),
                  npa::FileType::message_mode);
  };
}

}  // namespace

std::vector<Backend> npa_backends() {
  return {
      {"NPA byte mode over socketpair",
       [](LoopFixture& fixture) { return npa_on(fixture, fixture.unix_pair(), npa::FileType::byte_mode); },
       byte_mode_on_unix},
      {"NPA message mode over socketpair",
       [](LoopFixture& fixture) { return npa_on(fixture, small_pair(fixture), npa::FileType::message_mode); },
       messages},
      {"NPA message mode over memory", messages_on_memory(std::numeric_limits<std::size_t>::max()),
       messages_in_memory(std::numeric_limits<std::size_t>::max())},
      {"NPA message mode over memory, 3 bytes at once", messages_on_memory(3), messages_in_memory(3)},
  };
}

}  // namespace tsock::test
