#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <span>
#include <string>
#include <tsock/address.hpp>
#include <vector>

#include "direction.hpp"

namespace tsock_cat {

/// The ends of a connection, for a capture.
struct CaptureEnds {
  tsock::Address local;
  tsock::Address remote;
  bool is_datagram = false;
  bool is_mirrored = false;  ///< the peer is the one whose bytes are `Direction::sent`
  bool is_accepted = false;  ///< the peer has connected to us
  std::string name;          ///< for the comment on the first packet
};

/// A capture as Wireshark and tcpdump read it (pcapng, draft-ietf-opsawg-pcapng): the bytes of connections in
/// packets of IPv4 or IPv6 with their real addresses and ports. A stream has the handshake, sequence numbers
/// and end of a TCP connection. A unix socket has made-up addresses: 127.0.0.1 for us, 127.0.0.2 for the
/// peer, and the number of the connection as the ports.
class PcapngFile {
 public:
  /// Writes the head of the file. \return 0 or an errno value, as the others
  [[nodiscard]] int open(const std::string& path);
  [[nodiscard]] bool is_open() const noexcept { return file_.is_open(); }
  [[nodiscard]] int begin(std::uint64_t connection, const CaptureEnds& ends);
  /// `from` is the sender of a datagram that was received, or empty.
  [[nodiscard]] int record(std::uint64_t connection, Direction direction, std::span<const std::byte> bytes,
                           const tsock::Address& from);
  [[nodiscard]] int end(std::uint64_t connection);
  [[nodiscard]] int close();

 private:
  using Bytes = std::vector<std::uint8_t>;

  struct Connection {
    CaptureEnds ends;
    std::array<std::uint32_t, 2> next{};  // sequence numbers: ours, the peer's
  };

  void packet(Connection& connection, bool from_us, std::uint8_t flags, std::span<const std::byte> bytes,
              const tsock::Address& from, const std::string& comment);
  void block(const Bytes& packet, const std::string& comment);
  [[nodiscard]] int flush();

  std::ofstream file_;
  std::map<std::uint64_t, Connection> connections_;
};

}  // namespace tsock_cat
