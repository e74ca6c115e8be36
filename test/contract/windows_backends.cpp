#include <process.h>

#include <atomic>
#include <string>

#include "contract/system_backends.hpp"

namespace tsock::test {

namespace {

// The first one is the connecting side, whose handle is opened otherwise than that of the other one.
std::pair<Stream, Stream> connected_by_pipe(LoopFixture& fixture) {
  static std::atomic<unsigned> count = 0;
  int err = 0;
  const std::string name = "tsock-contract-" + std::to_string(::_getpid()) + '-' + std::to_string(++count);
  Listener listener = Listener::listen(fixture.loop, Address::pipe_from_name(name, err), {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  Request<Stream> accepting = listener.accept();
  Request<Stream> connecting = Stream::connect(fixture.loop, listener.local_address());
  Stream first = fixture.fetch(connecting, err);
  BOOST_TEST_REQUIRE(err == 0);
  Stream second = fixture.fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0);
  return {std::move(first), std::move(second)};
}

std::pair<Stream, Stream> accepted_by_pipe(LoopFixture& fixture) {
  auto pair = connected_by_pipe(fixture);
  return {std::move(pair.second), std::move(pair.first)};
}

// What was written stays there when it is closed. A monitor sees the end once what came before it was read.
constexpr BackendTraits named_pipe{.half_close = false,
                                   .sees_half_close = false,
                                   .reset = false,
                                   .lingers = false,
                                   .socket = false,
                                   .descriptor = false,
                                   .tells_unread = false};

}  // namespace

void add_backends_of_system(BackendsUnderTest& backends) {
  backends.both_ways.push_back({"named pipe", connected_by_pipe, named_pipe});
  backends.both_ways.push_back({"named pipe, accepted", accepted_by_pipe, named_pipe, repeats});
}

void add_datagrams_of_system(std::vector<DatagramKind>& /*kinds*/) {}

}  // namespace tsock::test
