#pragma once

#include <chrono>
#include <optional>
#include <tsock/address.hpp>
#include <tsock/peer_credentials.hpp>
#include <tsock/send_from.hpp>

namespace tsock::inline v0 {

/// What the kernel reported about a received datagram besides bytes and sender; absent where it did not.
struct DatagramInfo {
  Address destination;  ///< the local address it was sent to; empty when unknown
  SendFrom reply_from;  ///< the sender for an answer: that address, or for a broadcast or a group the
                        ///< interface's own, as far as known; with an interface if it needs one
  std::optional<unsigned> interface_index;                         ///< the interface it arrived on
  std::optional<int> ttl;                                          ///< time to live or hop limit on arrival
  std::optional<int> ecn;                                          ///< the two ECN bits of RFC 3168
  std::optional<std::chrono::system_clock::time_point> timestamp;  ///< when the kernel received it
  std::optional<PeerCredentials> credentials;                      ///< the sending process (unix sockets)
  /// It came with something that is not reported here: file descriptors, which are closed, or more than the
  /// loop has room for.
  bool is_incomplete = false;
};

}  // namespace tsock::inline v0
