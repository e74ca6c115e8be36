#pragma once

#include <cstddef>
#include <cstdint>
#include <tsock/rate_limit.hpp>
#include <utility>
#include <vector>

#include "contract/backends.hpp"
#include "contract/datagram_backends.hpp"

/// What backends are made of that some systems have and others do not: posix_backends.cpp,
/// windows_backends.cpp.
namespace tsock::test {

/// Adds those that this system has beside TCP.
void add_backends_of_system(BackendsUnderTest& backends);
/// Adds those that this system has beside UDP.
void add_datagrams_of_system(std::vector<DatagramKind>& kinds);

/// \see Backend::repeats
inline constexpr bool repeats = true;

inline BackendTraits with(BackendTraits traits, bool BackendTraits::*trait, bool value) {
  traits.*trait = value;
  return traits;
}

inline Stream adopt(LoopFixture& fixture, UniqueSocket socket) {
  int err = 0;
  Stream stream = Stream::adopt(fixture.loop, socket, {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  return stream;
}

/// So fast that nobody waits for long, in pieces of `burst` bytes.
inline constexpr std::uint64_t no_rate = std::uint64_t{1} << 50;
inline constexpr std::uint64_t slow_rate = 65'536'000;
inline std::pair<Stream, Stream> limited(LoopFixture& fixture, std::pair<Stream, Stream> pair,
                                         std::uint64_t rate, std::size_t burst, bool writing = true) {
  for (Stream* const stream : {&pair.first, &pair.second}) {
    RateLimits limits{.reading = RateLimit(fixture.loop, rate, burst)};
    if (writing) limits.writing = RateLimit(fixture.loop, rate, burst);
    BOOST_TEST_REQUIRE(limit_rate(*stream, limits) == 0);
  }
  return pair;
}

/// Two UDP sockets, or one of the system's own kind, bound and not connected.
inline DatagramEnds bound(Datagram ours, Datagram peer) {
  DatagramEnds ends{std::move(ours), std::move(peer), {}, {}};
  ends.to_peer = ends.peer.local_address();
  ends.to_ours = ends.ours.local_address();
  return ends;
}

}  // namespace tsock::test
