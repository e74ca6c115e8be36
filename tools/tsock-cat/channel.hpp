#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <tsock/child_process.hpp>
#include <tsock/stream.hpp>

#include "datagram_end.hpp"
#include "echo.hpp"
#include "peer_report.hpp"
#include "rare.hpp"
#include "tls_report.hpp"

namespace tsock_cat {

/// An open endpoint: one stream for both ways, or one for each as with standard input and output, or
/// datagrams.
struct Channel {
  tsock::Stream stream;                    ///< read from, and written to unless there is `output`
  tsock::Stream output;                    ///< standard output
  std::unique_ptr<DatagramEnd> datagrams;  ///< instead of both
  std::unique_ptr<Echo> echo;              ///< what gives back the bytes
  tsock::ChildProcess program;             ///< whose stream this is
  std::string name;                        ///< for messages
  bool is_network = true;                  ///< its errors are the peer's, not local ones
  Rare<TlsReport> tls;                     ///< if there is TLS; its goodbye matters
  Rare<PeerReport> peer;                   ///< of another handshake
  Rare<PeerReport> proxy;                  ///< what it came or went through
  std::size_t most_message = 0;            ///< bytes of one write, which is a message; 0: writes are none
  bool is_accepted = false;                ///< the peer has connected to us
  bool has_input = true;
  bool has_output = true;
  bool gives_zeros = false;  ///< instead of reading

  [[nodiscard]] bool is_datagram() const noexcept { return datagrams != nullptr; }
  [[nodiscard]] bool is_secured() const noexcept { return tls || peer; }
  [[nodiscard]] tsock::Stream& source() noexcept { return stream; }
  [[nodiscard]] tsock::Stream& sink() noexcept { return output ? output : stream; }

  /// Writes the bytes, or sends them as one datagram. `queue` orders the writes of several to one stream.
  [[nodiscard]] tsock::Request<tsock::ssize_t> write(std::span<const std::byte> bytes,
                                                     tsock::Queue* queue = nullptr) {
    if (is_datagram()) return datagrams->send(bytes);
    return queue != nullptr ? sink().write(*queue, bytes) : sink().write(bytes);
  }
  [[nodiscard]] tsock::Address local_address() const {
    return is_datagram() ? datagrams->local_address() : stream.local_address();
  }
  [[nodiscard]] tsock::Address remote_address() const {
    return is_datagram() ? datagrams->remote_address() : stream.remote_address();
  }
};

}  // namespace tsock_cat
