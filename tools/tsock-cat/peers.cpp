#include "peers.hpp"

#include <cerrno>
#include <string>
#include <tsock/error.hpp>
#include <tsock/operation.hpp>
#include <utility>

#include "datagram_socket.hpp"
#include "system.hpp"

namespace tsock_cat {
namespace {

// What may wait for one peer.
constexpr std::size_t most_datagrams = 256;
constexpr std::size_t most_bytes = std::size_t{1} << 20;
// Above it, while all of them together have no more than this.
constexpr std::size_t most_bytes_of_all = std::size_t{8} << 20;

// An IPv4 address is written as one, whatever family the socket has.
std::string ip_of(const tsock::Address& address) {
  int err = 0;
  const std::string text = address.ip_string(err);
  return address.is_v4_mapped() ? text.substr(text.rfind(':') + 1) : text;
}

}  // namespace

struct Peers::Peer {
  Path path;
  std::deque<tsock::ReceivedDatagram> queue;
  std::size_t queued_bytes = 0;
  std::uint64_t dropped = 0;
  bool accepted = false;
  Receive* receiver = nullptr;

  [[nodiscard]] bool is_full() const noexcept {
    return queue.size() >= most_datagrams || queued_bytes >= most_bytes;
  }
};

// Takes the next datagram of a peer.
class Peers::Receive final : public tsock::Operation<tsock::ReceivedDatagram> {
 public:
  static constexpr const char* name = "receive from peer";

  Receive(Peers& peers, Peer& peer) : peers_(peers), peer_(peer) {}

  void start() override {
    if (!peer_.queue.empty()) {
      const bool was_full = peer_.is_full();
      tsock::ReceivedDatagram datagram = std::move(peer_.queue.front());
      peer_.queue.pop_front();
      peer_.queued_bytes -= datagram.size();
      peers_.queued_bytes_ -= datagram.size();
      done(std::move(datagram));
      if (peers_.is_lossless() && was_full && !peer_.is_full()) {
        --peers_.full_;
        peers_.receive();
      }
    } else if (!error(peers_.error_)) {
      peer_.receiver = this;
    }
  }
  void cleanup(tsock::Outcome, int) noexcept override {
    if (peer_.receiver == this) peer_.receiver = nullptr;
  }
  void give(tsock::ReceivedDatagram datagram) {
    peer_.receiver = nullptr;
    done(std::move(datagram));
  }
  void fail(int err) {
    peer_.receiver = nullptr;
    error(err);
  }

 private:
  Peers& peers_;
  Peer& peer_;
};

// What a peer's connection holds.
class Peers::End final : public DatagramEnd {
 public:
  End(std::shared_ptr<Peers> peers, Peer& peer) : peers_(std::move(peers)), peer_(peer) {}
  End(const End&) = delete;
  End& operator=(const End&) = delete;
  ~End() override { peers_->remove(peer_.path); }

  [[nodiscard]] tsock::Request<tsock::ReceivedDatagram> receive() override {
    return tsock::make_request<Receive>(peers_->socket_.loop(), *peers_, peer_);
  }
  [[nodiscard]] tsock::Request<tsock::ssize_t> send(std::span<const std::byte> bytes) override {
    if (peers_->connected_) return peers_->socket_.sendto(peers_->sending_, bytes);
    return peers_->socket_.sendto(peers_->sending_, bytes, peer_.path.sender, peer_.path.local);
  }
  [[nodiscard]] bool can_go_on_after(int err) const override {
    return err == EMSGSIZE || err == ENOBUFS ||
           (peers_->services_.options.datagram.icmp_errors && !peers_->is_lossless() && is_icmp_error(err));
  }
  [[nodiscard]] tsock::Address local_address() const override {
    const tsock::Address bound = peers_->local_address();
    const tsock::Address asked = peer_.path.local.address();
    int err = 0;
    return asked.is_empty() ? bound : asked.with_port(bound.port().value_or(0), err);
  }
  [[nodiscard]] tsock::Address remote_address() const override { return peer_.path.sender; }
  [[nodiscard]] std::uint64_t dropped() const override { return peer_.dropped; }

 private:
  std::shared_ptr<Peers> peers_;
  Peer& peer_;
};

Peers::Peers(const Services& services, const Endpoint& endpoint, tsock::Datagram socket)
    : services_(services),
      endpoint_(endpoint),
      socket_(std::move(socket)),
      sending_(services.loop, "to peers") {}

Peers::~Peers() = default;

void Peers::accept(Acceptor::OnAccept on_accept) {
  on_accept_ = std::move(on_accept);
  receive();
  if (!waiting_.empty() || error_ != 0) offer_soon();
}

void Peers::stop_accepting() {
  accepting_ = false;
  on_accept_ = nullptr;
  for (const Path& path : waiting_) {
    const auto found = peers_.find(path);
    dropped_ += found->second->queue.size();
    queued_bytes_ -= found->second->queued_bytes;
    peers_.erase(found);
  }
  waiting_.clear();
}

void Peers::receive() {
  if (receiving_.is_in_progress() || full_ > 0 || error_ != 0) return;
  receiving_ = socket_.recvfrom();
  receiving_.set_callback([this](tsock::Request<tsock::ReceivedDatagram>& request) { on_received(request); });
}

// One at a time, as they are taken: the library reads ahead, and what does not fit waits in the kernel.
void Peers::on_received(tsock::Request<tsock::ReceivedDatagram>& request) {
  int err = 0;
  tsock::ReceivedDatagram datagram = request.recv(err);
  if (err == 0) {
    sort(std::move(datagram));
  } else if (is_icmp_error(err) && !connected_) {
    services_.report.note(0, endpoint_.text + ": a datagram was not delivered: " + tsock::error_text(err));
  } else {
    return fail(err);
  }
  receive();
}

void Peers::sort(tsock::ReceivedDatagram datagram) {
  Peer* const peer = peer_of(datagram);
  if (peer == nullptr) {
    ++dropped_;
    return;
  }
  if (peer->receiver != nullptr) return peer->receiver->give(std::move(datagram));
  if (peer->is_full() &&
      (is_lossless() || queued_bytes_ >= most_bytes_of_all)) {  // of a unix socket only who is not accepted
                                                                // yet: no more is read for the others
    ++peer->dropped;
    return;
  }
  peer->queued_bytes += datagram.size();
  queued_bytes_ += datagram.size();
  peer->queue.push_back(std::move(datagram));
  if (is_lossless() && peer->accepted && peer->is_full()) ++full_;
}

// Null for a new sender that cannot be taken.
Peers::Peer* Peers::peer_of(const tsock::ReceivedDatagram& datagram) {
  Path path{datagram.source(), {}};
  if (const tsock::DatagramInfo* const info = datagram.info()) path.local = info->reply_from;
  const auto found = peers_.find(path);
  if (found != peers_.end()) return found->second.get();
  if (!accepting_) return nullptr;
  if (waiting_.size() >= static_cast<std::size_t>(services_.options.listener.backlog)) {
    if (!std::exchange(told_full_, true)) {
      services_.report.note(0, endpoint_.text + ": too many senders wait; new ones are not heard");
    }
    return nullptr;
  }
  auto peer = std::make_unique<Peer>();
  peer->path = path;
  Peer* const made = peer.get();
  peers_.emplace(path, std::move(peer));
  waiting_.push_back(path);
  offer_soon();
  return made;
}

// Whoever accepts may do anything to this object: not while datagrams are sorted.
void Peers::offer_soon() {
  services_.loop.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->offer();
  });
}

void Peers::offer() {
  if (!on_accept_) return;
  if (error_ != 0) {
    const Acceptor::OnAccept on_accept = std::exchange(on_accept_, nullptr);
    return on_accept(error_, {});
  }
  if (waiting_.empty()) return;
  Peer& peer = *peers_.at(waiting_.front());
  waiting_.pop_front();
  told_full_ = false;
  peer.accepted = true;
  if (services_.options.connected && !is_lossless()) connect_to(peer.path);
  if (is_lossless() && peer.is_full()) ++full_;
  Channel channel;
  channel.name = endpoint_.text;
  channel.has_output = !peer.path.sender.is_unnamed();
  channel.datagrams = std::make_unique<End>(shared_from_this(), peer);
  const Acceptor::OnAccept on_accept = std::exchange(on_accept_, nullptr);
  on_accept(0, std::move(channel));
}

// The kernel drops what others send from now on, and says that the sender is gone. It also chooses the
// address that we have from then on: if the sender talks to another one, it would not be heard any more.
void Peers::connect_to(const Path& path) {
  const tsock::Address asked = path.local.address();
  int err = 0;
  const auto peer =
      tsock::Address::inet_from_strings("ip", ip_of(path.sender), path.sender.port().value_or(0), err);
  const tsock::Datagram probe = tsock::Datagram::udp(services_.loop, {}, peer, {}, err);
  std::string why;
  if (err == 0 && !asked.is_empty() && ip_of(asked) != ip_of(probe.local_address())) {
    why = "the sender talks to another address than the one that leads to it";
  } else {
    err = connect_socket(socket_.native_handle(), path.sender);
    if (err != 0) why = tsock::error_text(err);
  }
  connected_ = why.empty();
  if (!connected_) services_.report.note(0, endpoint_.text + ": --connected has no effect: " + why);
}

void Peers::fail(int err) {
  error_ = err;
  for (const auto& [path, peer] : peers_) {
    if (peer->receiver != nullptr) peer->receiver->fail(err);
  }
  offer_soon();
}

void Peers::remove(const Path& path) {
  const auto found = peers_.find(path);
  const Peer& peer = *found->second;
  dropped_ += peer.queue.size();
  queued_bytes_ -= peer.queued_bytes;
  if (is_lossless() && peer.is_full()) {
    --full_;
    receive();
  }
  peers_.erase(found);
}

}  // namespace tsock_cat
