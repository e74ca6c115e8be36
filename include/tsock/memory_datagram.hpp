#pragma once

#include <cstddef>
#include <cstdint>
#include <tsock/address.hpp>
#include <tsock/datagram.hpp>
#include <tsock/export.hpp>
#include <utility>

namespace tsock::inline v0 {

class Loop;

/// How `memory_datagram_pair()` behaves: what a network does to datagrams, in controlled amounts. A
/// probability below 0 counts as 0, one above 1 as 1.
struct MemoryDatagramOptions {
  /// The seed. Each direction draws its own numbers, the same for each datagram whatever the probabilities:
  /// with one seed the n-th datagram of a direction always has the same fate, on every platform.
  std::uint64_t seed = 1;
  double loss = 0.0;         ///< probability that a datagram is sent and never arrives
  double duplication = 0.0;  ///< ... that it arrives twice
  double reorder = 0.0;      ///< ... that it is held back, so that later ones overtake it
  /// At most this many others overtake a datagram that is held back; it does not wait for ones that never
  /// come.
  std::size_t reorder_distance = 3;
  std::size_t queue_length = 256;  ///< datagrams that wait for a receiver; at least 1
  /// A full queue stops the sender (as with unix sockets) instead of dropping the datagram (as UDP does).
  bool block_when_full = false;
  std::size_t max_size = 65507;  ///< larger datagrams give EMSGSIZE
  /// The addresses of the ends, of any kind. The default is two addresses reserved for documentation (RFC
  /// 5737).
  Address first_address = {};
  Address second_address = {};
  bool strict_tsocket = false;  ///< as DatagramOptions::strict_tsocket
};

/// Two datagram sockets in this process that reach only each other. They are connected, and accept the other
/// end's address as a destination, too; other addresses give EHOSTUNREACH, those of another kind EINVAL. When
/// the other end is destroyed, sending gives ECONNREFUSED. The receiver's `Datagram::dropped()` counts what a
/// full queue drops; random losses are not counted. Made for tests of protocols: no kernel, no clock, and the
/// same seed gives the same run.
TSOCK_EXPORT std::pair<Datagram, Datagram> memory_datagram_pair(Loop& loop,
                                                                const MemoryDatagramOptions& options = {});

}  // namespace tsock::inline v0
