#pragma once

#include <cstddef>
#include <cstdint>
#include <tsock/address.hpp>
#include <tsock/datagram.hpp>
#include <tsock/export.hpp>
#include <utility>

namespace tsock {

class Loop;

/// How `memory_datagram_pair()` behaves: what a network does to datagrams, in doses. A probability below 0
/// counts as 0, one above 1 as 1.
struct MemoryDatagramOptions {
  /// Where chance starts. Each direction draws its own numbers, the same ones for each datagram whatever the
  /// probabilities are: with one seed the n-th datagram of a direction has one fate, on every platform.
  std::uint64_t seed = 1;
  double loss = 0.0;         ///< probability that a datagram leaves and never comes
  double duplication = 0.0;  ///< ... that it comes twice
  double reorder = 0.0;      ///< ... that it is held back, so that later ones overtake it
  /// A datagram that is held back lets this many others pass at most; it waits for none that does not come.
  std::size_t reorder_distance = 3;
  std::size_t queue_length = 256;  ///< datagrams that wait for a receiver; at least 1
  /// A full queue stops the sender (as with unix sockets) instead of dropping the datagram (as UDP does).
  bool block_when_full = false;
  std::size_t max_size = 65507;  ///< larger datagrams give EMSGSIZE
  /// The ends' addresses, of any kind; where none is given, two that belong to nobody (RFC 5737).
  Address first_address = {};
  Address second_address = {};
  bool strict_tsocket = false;  ///< as DatagramOptions::strict_tsocket
};

/// Two datagram sockets in this process that reach each other only. They are connected, and take the other
/// end's address as a destination too; other addresses give EHOSTUNREACH, those of another kind EINVAL. When
/// the other end is gone, sending gives ECONNREFUSED. What a full queue drops is counted by the receiver's
/// `Datagram::dropped()`; what chance loses is counted by nobody. Made for tests of protocols: no kernel, no
/// clock, and the same seed gives the same run.
TSOCK_EXPORT std::pair<Datagram, Datagram> memory_datagram_pair(Loop& loop,
                                                                const MemoryDatagramOptions& options = {});

}  // namespace tsock
