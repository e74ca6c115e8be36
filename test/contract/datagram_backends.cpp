#include "contract/datagram_backends.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <tsock/loop.hpp>
#include <tsock/memory_datagram.hpp>
#include <utility>

#include "support/system.hpp"

namespace tsock::test {

namespace {

using Options = DatagramOptions;

Datagram udp_on(Loop& loop, const Address& local, const Address& remote, const Options& options) {
  int err = 0;
  Datagram datagram = Datagram::udp(loop, local, remote, options, err);
  BOOST_TEST_REQUIRE(err == 0);
  return datagram;
}

/// Both are bound and neither is connected.
DatagramEnds bound(Datagram ours, Datagram peer) {
  DatagramEnds ends{std::move(ours), std::move(peer), {}, {}};
  ends.to_peer = ends.peer.local_address();
  ends.to_ours = ends.ours.local_address();
  return ends;
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

Datagram unix_on(Loop& loop, const Address& local, const Address& remote, const Options& options) {
  int err = 0;
  Datagram datagram = Datagram::unix_datagram(loop, local, remote, options, err);
  BOOST_TEST_REQUIRE(err == 0);
  return datagram;
}

// The names must not go with the folder: a unix datagram is sent to a path.
Address path_address() {
  static const TempDirectory directory;
  static unsigned count = 0;
  int err = 0;
  return Address::unix_from_path(directory / std::to_string(++count), err);
}

Address abstract_address() {
  static unsigned count = 0;
  int err = 0;
  const std::string name = "tsock-datagram-" + std::to_string(getpid()) + '-' + std::to_string(++count);
  return Address::unix_abstract(name, err);
}

template <class MakeAddress>
auto unix_bound(MakeAddress make_address) {
  return [make_address](Loop& loop, const Options& options) {
    return bound(unix_on(loop, make_address(), {}, options), unix_on(loop, make_address(), {}, options));
  };
}

DatagramEnds unix_connected(Loop& loop, const Options& options) {
  Datagram peer = unix_on(loop, path_address(), {}, options);
  Datagram ours = unix_on(loop, path_address(), peer.local_address(), options);
  DatagramEnds ends = bound(std::move(ours), std::move(peer));
  ends.to_peer = Address();
  return ends;
}

DatagramEnds socketpair(Loop& loop, const Options& options) {
  int err = 0;
  auto [ours, peer] = Datagram::socketpair(loop, options, err);
  BOOST_TEST_REQUIRE(err == 0);
  return {std::move(ours), std::move(peer), {}, {}};
}

Datagram adopt(Loop& loop, UniqueSocket fd, const Options& options) {
  int err = 0;
  Datagram datagram = Datagram::adopt(loop, fd, options, err);
  BOOST_TEST_REQUIRE(err == 0);
  return datagram;
}

DatagramEnds adopted_pair(Loop& loop, const Options& options) {
  std::array<int, 2> fds{};
  BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM, 0, fds.data()) == 0);
  UniqueSocket first(fds[0]);
  UniqueSocket second(fds[1]);
  Datagram ours = adopt(loop, std::move(first), options);
  return {std::move(ours), adopt(loop, std::move(second), options), {}, {}};
}

// Two UDP sockets that are connected to each other, which takes system calls of one's own.
DatagramEnds adopted_udp(Loop& loop, const Options& options) {
  std::array<UniqueSocket, 2> fds;
  std::array<sockaddr_storage, 2> names{};
  const Address any = loopback_v4();
  for (std::size_t i = 0; i < fds.size(); ++i) {
    fds[i].reset(::socket(AF_INET, SOCK_DGRAM, 0));
    const auto length = static_cast<socklen_t>(any.sockaddr_length());
    socklen_t size = sizeof(names[i]);
    BOOST_TEST_REQUIRE(::bind(fds[i].get(), any.sockaddr_pointer(), length) == 0);
    BOOST_TEST_REQUIRE(::getsockname(fds[i].get(), reinterpret_cast<sockaddr*>(&names[i]), &size) == 0);
  }
  for (std::size_t i = 0; i < fds.size(); ++i) {
    const auto length = static_cast<socklen_t>(any.sockaddr_length());
    BOOST_TEST_REQUIRE(::connect(fds[i].get(), reinterpret_cast<sockaddr*>(&names[1 - i]), length) == 0);
  }
  Datagram ours = adopt(loop, std::move(fds[0]), options);
  return {std::move(ours), adopt(loop, std::move(fds[1]), options), {}, {}};
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
constexpr DatagramTraits unix_unconnected{
    .unix_socket = true, .reads_ahead = false, .blocks = true, .polls = true, .refuses = true};
constexpr DatagramTraits unix_with_peer{
    .unix_socket = true, .connected = true, .reads_ahead = false, .blocks = true, .refuses = true};
constexpr DatagramTraits in_memory{.connected = true, .refuses = true, .max_size = large};
constexpr DatagramTraits in_memory_blocking{
    .connected = true, .blocks = true, .refuses = true, .max_size = large};

}  // namespace

const std::vector<DatagramKind>& all_datagram_kinds() {
  static std::vector<DatagramKind> kinds{
      {"udp v4", inet_v4, udp_v4},
      {"udp v6", inet_v6, udp_v6},
      {"udp connected", inet_connected, udp_connected},
      {"unix path", unix_unconnected, unix_bound(path_address)},
      {"unix path connected", unix_with_peer, unix_connected},
      {"unix abstract", unix_unconnected, unix_bound(abstract_address)},
      {"unix socketpair", unix_with_peer, socketpair},
      {"adopted unix", unix_with_peer, adopted_pair},
      {"adopted udp", inet_connected, adopted_udp},
      {"memory", in_memory, memory({.max_size = large})},
      {"memory, blocking", in_memory_blocking,
       memory({.queue_length = 10, .block_when_full = true, .max_size = large})},
  };
  if (uses_posix_alone())
    std::erase_if(kinds,
                  [](const DatagramKind& kind) { return kind.name == std::string_view("unix abstract"); });
  return kinds;
}

}  // namespace tsock::test
