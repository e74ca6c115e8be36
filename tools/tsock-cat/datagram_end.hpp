#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <tsock/address.hpp>
#include <tsock/datagram.hpp>
#include <tsock/received_datagram.hpp>
#include <tsock/request.hpp>

namespace tsock_cat {

/// The datagram side of a Channel: a socket of its own, or one peer of a socket that many share. One receive
/// and one send at a time.
class DatagramEnd {
 public:
  DatagramEnd() = default;
  DatagramEnd(const DatagramEnd&) = delete;
  DatagramEnd& operator=(const DatagramEnd&) = delete;
  virtual ~DatagramEnd() = default;

  /// The next datagram. This end must outlive the request.
  [[nodiscard]] virtual tsock::Request<tsock::ReceivedDatagram> receive() = 0;
  /// Sends one; the bytes stay the caller's as with `tsock::Datagram::sendto()`.
  [[nodiscard]] virtual tsock::Request<tsock::ssize_t> send(std::span<const std::byte> bytes) = 0;
  /// Whether this error, of receive() or send(), concerns one datagram only, so that one can go on.
  [[nodiscard]] virtual bool can_go_on_after(int err) const = 0;
  [[nodiscard]] virtual tsock::Address local_address() const = 0;
  /// Where send() sends.
  [[nodiscard]] virtual tsock::Address remote_address() const = 0;
  /// Datagrams that came and were lost because they were not received fast enough.
  [[nodiscard]] virtual std::uint64_t dropped() const = 0;
};

}  // namespace tsock_cat
