#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <tsock/address.hpp>
#include <tsock/datagram.hpp>
#include <tsock/queue.hpp>
#include <tsock/request.hpp>
#include <unordered_map>

#include "acceptor.hpp"
#include "datagram_end.hpp"

namespace tsock_cat {

/// One socket, and everybody who sends to it: sorts datagrams by sender, each of whom gets a DatagramEnd. As
/// long as one of those is there, so is this. A sender that sends to several addresses of a socket that is
/// bound to all is one for each of them, and is answered from there.
///
/// What comes for a peer and is not received waits, up to a limit, and beyond it while there is little for
/// all. Above that a UDP datagram is lost and counted, as in the kernel; from a unix socket, which loses
/// nothing, no more is read for anybody until there is room. A new sender waits to be accepted, with what it
/// sent; those above the backlog are lost.
class Peers final : public std::enable_shared_from_this<Peers> {
 public:
  /// The endpoint must outlive it.
  Peers(const Services& services, const Endpoint& endpoint, tsock::Datagram socket);
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;
  ~Peers();

  void accept(Acceptor::OnAccept on_accept);
  /// From now on new senders are lost, also those that wait.
  void stop_accepting();
  [[nodiscard]] tsock::Address local_address() const { return socket_.local_address(); }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_ + socket_.dropped(); }

 private:
  class Receive;
  class End;
  struct Peer;
  /// Who sends, and to which address of ours; empty when the socket has only one.
  struct Path {
    tsock::Address sender;
    tsock::SendFrom local;
    friend bool operator==(const Path&, const Path&) = default;
  };
  struct PathHash {
    std::size_t operator()(const Path& path) const noexcept {
      return path.sender.hash() * 31 + path.local.hash();
    }
  };

  void receive();
  void on_received(tsock::Request<tsock::ReceivedDatagram>& request);
  void sort(tsock::ReceivedDatagram datagram);
  [[nodiscard]] Peer* peer_of(const tsock::ReceivedDatagram& datagram);
  void offer_soon();
  void offer();
  void fail(int err);
  void connect_to(const Path& path);
  void remove(const Path& path);
  [[nodiscard]] bool is_lossless() const noexcept { return endpoint_.is_unix(); }

  Services services_;
  const Endpoint& endpoint_;
  tsock::Datagram socket_;
  tsock::Queue sending_;
  bool accepting_ = true;
  bool connected_ = false;  // to the one sender
  bool told_full_ = false;  // said once that senders are lost
  int error_ = 0;           // the socket's end
  std::uint64_t dropped_ = 0;
  std::size_t queued_bytes_ = 0;  // of all peers
  Acceptor::OnAccept on_accept_;
  std::unordered_map<Path, std::unique_ptr<Peer>, PathHash> peers_;
  std::deque<Path> waiting_;  // not accepted yet
  std::size_t full_ = 0;      // accepted peers of a unix socket above their limit
  tsock::Request<tsock::ReceivedDatagram> receiving_;
};

}  // namespace tsock_cat
