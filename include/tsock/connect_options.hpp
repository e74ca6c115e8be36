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
  /// Whether to wait for a unix listener whose backlog is full, or for a free instance of a named pipe:
  /// connecting is repeated every few milliseconds until there is room, or the timeout or a cancel ends it.
  /// If false, it fails with EAGAIN at once. A pipe whose listener is gone, while a connection of its is
  /// open, is like one that is full.
  bool retry_full_backlog = true;
  /// For a unix address: connects a socket whose writes are messages with borders (SOCK_SEQPACKET), see
  /// `Stream::read_message()`. EINVAL with an inet address.
  bool message_borders = false;
  /// TCP fast open (RFC 7413): once the host has had a cookie of the server, the connect completes at once,
  /// and the first write goes with the first packet. That saves a round trip; nothing is sent before the
  /// write, a refusal ends the write, and `remote_address()` is empty until the answer comes. Only for a
  /// protocol in which the client writes first, and whose server may get the first bytes twice. An ordinary
  /// connect where the system has it switched off; ENOTSUP where it has no such option; ignored by unix
  /// sockets.
  bool fast_open = false;
};

}  // namespace tsock::inline v0
