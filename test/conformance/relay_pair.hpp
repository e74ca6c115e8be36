#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "contract/backends.hpp"
#include "core/stream/stream_access.hpp"
#include "core/stream/stream_core.hpp"

namespace tsock::test {

template <class R>
Stream relay_over(LoopFixture& fixture, const Stream& below) {
  int err = 0;
  std::vector<std::byte> unread;
  std::unique_ptr<StreamBackend> backend = StreamAccess::core(below)->take_backend(unread, err);
  BOOST_TEST_REQUIRE(err == 0);
  return {fixture.loop, std::make_unique<R>(std::move(backend))};
}

/// Two connected sockets with a relay on each.
template <class R>
std::pair<Stream, Stream> make_relays(LoopFixture& fixture) {
  const auto below = fixture.unix_pair();
  Stream first = relay_over<R>(fixture, below.first);
  return {std::move(first), relay_over<R>(fixture, below.second)};
}

}  // namespace tsock::test
