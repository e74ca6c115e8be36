#pragma once

#include <cstddef>
#include <functional>
#include <ostream>
#include <tsock/datagram.hpp>
#include <vector>

#include "support/loop_fixture.hpp"

namespace tsock::test {

/// What a datagram backend can do; the tests ask for what they need.
struct DatagramTraits {
  bool inet = false;         ///< a UDP socket
  bool unix_socket = false;  ///< a unix socket
  bool connected = false;    ///< `ours` has a receiver without naming one
  bool reads_ahead = true;   ///< several datagrams are taken at once
  bool blocks = false;       ///< a sender waits for a receiver that is full, nothing is dropped
  bool polls = false;        ///< ... and has to ask again and again, as the kernel does not tell
  bool refuses = false;      ///< sending gives ECONNREFUSED at once when nobody is there any more
  /// The largest datagram; 0 when that depends on the system.
  std::size_t max_size = 0;
};

/// Two datagram sockets that reach each other.
struct DatagramEnds {
  Datagram ours;
  Datagram peer;
  Address to_peer;  ///< what `ours` has to name as destination; empty where it is connected
  Address to_ours;  ///< the same for `peer`
};

/// One way to have them. The contract is tested over each of them.
struct DatagramKind {
  const char* name;
  DatagramTraits traits;
  std::function<DatagramEnds(Loop&, const DatagramOptions&)> make;

  friend std::ostream& operator<<(std::ostream& out, const DatagramKind& kind) { return out << kind.name; }
};

/// Every backend there is; add a new one here, in a line of its own.
[[nodiscard]] const std::vector<DatagramKind>& all_datagram_kinds();

/// The backends whose traits please the predicate.
template <class Predicate>
[[nodiscard]] std::vector<DatagramKind> datagram_kinds_with(Predicate predicate) {
  std::vector<DatagramKind> result;
  for (const DatagramKind& kind : all_datagram_kinds()) {
    if (predicate(kind.traits)) result.push_back(kind);
  }
  return result;
}

}  // namespace tsock::test
