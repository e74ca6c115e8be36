#include "contract/datagram_backends.hpp"

#include <tsock/loop.hpp>
#include <tsock/memory_datagram.hpp>
#include <utility>

#include "contract/system_backends.hpp"

namespace tsock::test {

namespace {

using Options = DatagramOptions;

Datagram udp_on(Loop& loop, const Address& local, const Address& remote, const Options& options) {
  int err = 0;
  Datagram datagram = Datagram::udp(loop, local, remote, options, err);
  BOOST_TEST_REQUIRE(err == 0);
  return datagram;
}

DatagramEnds udp_v4(Loop& loop, const Options& options) {
  return bound(udp_on(loop, loopback_v4(), {}, options), udp_on(loop, loopback_v4(), {}, options));
}

DatagramEnds udp_v6(Loop& loop, const Options& options) {
  return bound(udp_on(loop, loopback_v6(), {}, options), udp_on(loop, loopback_v6(), {}, options));
}

DatagramEnds udp_connected(Loop& loop, const Options& options) {
  Datagram peer = udp_on(loop, loopback_v4(), {}, options);
  Datagram ours = udp_on(loop, loopback_v4(), peer.local_address(), options);
  DatagramEnds ends = bound(std::move(ours), std::move(peer));
  ends.to_peer = Address();
  return ends;
}

auto memory(MemoryDatagramOptions options) {
  return [options](Loop& loop, const Options& common) {
    MemoryDatagramOptions used = options;
    used.strict_tsocket = common.strict_tsocket;
    auto [ours, peer] = memory_datagram_pair(loop, used);
    return DatagramEnds{std::move(ours), std::move(peer), {}, {}};
  };
}

constexpr std::size_t large = 1000000;
constexpr DatagramTraits inet_v4{.inet = true, .max_size = 65507};
constexpr DatagramTraits inet_v6{.inet = true, .max_size = 65527};
constexpr DatagramTraits inet_connected{.inet = true, .connected = true, .max_size = 65507};
constexpr DatagramTraits in_memory{.connected = true, .refuses = true, .max_size = large};
constexpr DatagramTraits in_memory_blocking{
    .connected = true, .blocks = true, .refuses = true, .max_size = large};

std::vector<DatagramKind> make_kinds() {
  std::vector<DatagramKind> kinds{
      {"udp v4", inet_v4, udp_v4},
      {"udp v6", inet_v6, udp_v6},
      {"udp connected", inet_connected, udp_connected},
      {"memory", in_memory, memory({.max_size = large})},
      {"memory, blocking", in_memory_blocking,
       memory({.queue_length = 10, .block_when_full = true, .max_size = large})},
  };
  add_datagrams_of_system(kinds);
  return kinds;
}

}  // namespace

const std::vector<DatagramKind>& all_datagram_kinds() {
  static const std::vector<DatagramKind> kinds = make_kinds();
  return kinds;
}

}  // namespace tsock::test
