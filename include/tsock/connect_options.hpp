#pragma once

#include <chrono>
#include <optional>
#include <tsock/address.hpp>
#include <tsock/stream_options.hpp>

namespace tsock::inline v0 {

/// How `Stream::connect()` connects.
struct ConnectOptions {
  /// Bound before connecting. Nothing is bound for an empty address, the wildcard address with port 0, or an
  /// unnamed unix address, as in tsocket; a wildcard of the other ip family follows the remote's family.
  Address local = {};
  StreamOptions stream = {};
  /// Ends the connect with ETIMEDOUT.
  std::optional<std::chrono::nanoseconds> timeout = std::nullopt;
  /// Whether to wait for a unix listener whose backlog is full: connecting is repeated every few milliseconds
  /// until there is room, or the timeout or a cancel ends it. If false, it fails with EAGAIN at once.
  bool retry_full_backlog = true;
  /// For a unix address: connects a socket whose writes are messages with borders (SOCK_SEQPACKET), see
  /// `Stream::read_message()`. EINVAL with an inet address.
  bool message_borders = false;
};

}  // namespace tsock::inline v0
