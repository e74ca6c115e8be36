#pragma once

#include <tsock/address.hpp>
#include <tsock/datagram.hpp>

#include "datagram_end.hpp"
#include "endpoint.hpp"
#include "services.hpp"

namespace tsock_cat {

/// A DatagramEnd with a socket of its own.
class DatagramSocket final : public DatagramEnd {
 public:
  /// Sends to `destination` and receives from everybody; an empty destination is a connected socket, which
  /// receives from its peer alone.
  explicit DatagramSocket(tsock::Datagram socket, const tsock::Address& destination = {});

  [[nodiscard]] tsock::Request<tsock::ReceivedDatagram> receive() override { return socket_.recvfrom(); }
  [[nodiscard]] tsock::Request<tsock::ssize_t> send(std::span<const std::byte> bytes) override {
    return socket_.sendto(bytes, destination_);
  }
  [[nodiscard]] bool can_go_on_after(int err) const override;
  [[nodiscard]] tsock::Address local_address() const override { return socket_.local_address(); }
  [[nodiscard]] tsock::Address remote_address() const override;
  [[nodiscard]] std::uint64_t dropped() const override { return socket_.dropped(); }

 private:
  tsock::Datagram socket_;
  tsock::Address destination_;
};

/// Whether an error is the network's answer to some datagram that was sent before (ICMP).
[[nodiscard]] bool is_icmp_error(int err);

/// A UDP socket that sends to `remote`: connected to it, unless it is a group, or broadcasts are asked for;
/// those are answered by others. Groups to join are joined. `local` may be empty. On failure null with
/// `failure`.
[[nodiscard]] std::unique_ptr<DatagramEnd> open_udp(const Services& services, const tsock::Address& local,
                                                    const tsock::Address& remote, Failure& failure);
/// A unix datagram socket that sends to `remote`, with a name of its own that an answer can be sent to.
/// \return null with an errno value on failure.
[[nodiscard]] std::unique_ptr<DatagramEnd> open_unix_datagram(const Services& services,
                                                              const tsock::Address& remote, int& err);

/// A UDP socket for peers to come to, with the groups joined. On failure empty, with `failure`.
[[nodiscard]] tsock::Datagram bind_udp(const Services& services, const tsock::Address& local,
                                       Failure& failure);
/// A unix datagram socket for peers to come to, with the file's fate, mode and group as the options say. On
/// failure empty, with an errno value.
[[nodiscard]] tsock::Datagram bind_unix_datagram(const Services& services, const tsock::Address& local,
                                                 int& err);

}  // namespace tsock_cat
