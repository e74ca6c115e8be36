#pragma once

#include <chrono>
#include <optional>
#include <tsock/address.hpp>
#include <tsock/peer_credentials.hpp>
#include <tsock/send_from.hpp>

namespace tsock {

/// What the kernel told of a received datagram besides bytes and sender; absent where it did not.
struct DatagramInfo {
  Address destination;  ///< the local address it was sent to; empty when unknown
  SendFrom reply_from;  ///< what an answer leaves from: that address, or for a broadcast or a group the
                        ///< interface's own, as far as the kernel told; with an interface if it needs one
  std::optional<unsigned> interface_index;                         ///< by which interface it came in
  std::optional<int> ttl;                                          ///< time to live or hop limit on arrival
  std::optional<int> ecn;                                          ///< the two ECN bits of RFC 3168
  std::optional<std::chrono::system_clock::time_point> timestamp;  ///< when the kernel received it
  std::optional<PeerCredentials> credentials;                      ///< who sent it (unix sockets)
  /// Something came with it that is not told here: file descriptors, which are closed, or more than the loop
  /// has room for.
  bool is_incomplete = false;
};

}  // namespace tsock
