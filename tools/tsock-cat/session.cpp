#include "session.hpp"

#include <tsock/proxy/header.hpp>
#include <utility>

namespace tsock_cat {
namespace {

// Of whom we have accepted, for whom we connect to.
tsock::proxy::Header header_of(const Channel& accepted) {
  if (!accepted.is_datagram()) return tsock::proxy::Header::of(accepted.stream);
  return {.transport = tsock::proxy::Header::Transport::datagram,
          .source = accepted.remote_address(),
          .destination = accepted.local_address()};
}

}  // namespace

Session::Session(const Services& services, std::uint64_t connection, Accepted accepted, OnEnd on_end)
    : services_(services),
      connection_(connection),
      channels_(std::make_unique<Accepted>(std::move(accepted))),
      on_end_(std::move(on_end)) {
  for (const auto& channel : *channels_) {
    if (channel && peer_.is_empty()) peer_ = channel->remote_address();
  }
}

// The network first: nobody should wait for a terminal or file that nothing can be done with.
void Session::open_next() {
  const auto& endpoints = services_.options.endpoints;
  std::optional<std::size_t> next;
  for (std::size_t i = 0; i < channels_->size(); ++i) {
    if (!(*channels_)[i] && (!next || endpoints[i].is_network())) next = i;
  }
  if (services_.options.pings && (*channels_)[1]) {
    const std::unique_ptr<Accepted> opened = end_opening();
    ping_ = std::make_unique<Ping>(services_, std::move(*(*opened)[1]),
                                   [this](const Failure& failure) { end(failure); });
    return ping_->start();
  }
  if (!next) {
    const std::unique_ptr<Accepted> opened = end_opening();
    relay_ =
        std::make_unique<Relay>(services_, connection_, std::move(*(*opened)[0]), std::move(*(*opened)[1]),
                                [this](const Failure& failure) { end(failure); });
    return relay_->start();
  }
  const Endpoint& endpoint = endpoints[*next];
  opener_ = std::make_unique<Opener>(
      services_, endpoint,
      [this, index = *next, &endpoint](Channel channel) {
        if (channel.is_network) {
          services_.report.connected(connection_, "connect", endpoint.text, channel.local_address(),
                                     channel.remote_address());
          if (channel.proxy) services_.report.peer(connection_, *channel.proxy);
          if (channel.tls) services_.report.tls(connection_, *channel.tls);
          if (channel.peer) services_.report.peer(connection_, *channel.peer);
        }
        (*channels_)[index] = std::move(channel);
        open_next();
      },
      [this](const Failure& failure) { end(failure); });
  if (services_.options.proxy.sent_header) {
    for (const auto& channel : *channels_) {
      if (channel && channel->is_network) opener_->pass_on(header_of(*channel));
    }
  }
  opener_->start();
}

// Many sessions are idle: what only the opening needs does not stay.
std::unique_ptr<Session::Accepted> Session::end_opening() {
  opener_ = nullptr;
  return std::move(channels_);
}

void Session::stop(const Failure& failure) {
  if (over_) return;
  if (relay_) return relay_->stop(failure);
  if (ping_) return ping_->stop(failure);
  opener_ = nullptr;
  over_ = true;
}

void Session::end(const Failure& failure) {
  over_ = true;
  // A session that never got both of its sides has nobody else to tell why, unless the process ends with it.
  if (relay_ || ping_ || services_.options.keep_listening)
    services_.report.closed(connection_, peer_, counters(), failure);
  on_end_(failure);
}

Counters Session::counters() const {
  if (ping_) return ping_->counters();
  return relay_ ? relay_->counters() : Counters{};
}

std::optional<tsock::TcpInfo> Session::tcp_info() const { return relay_ ? relay_->tcp_info() : std::nullopt; }

std::size_t Session::queued_bytes() const { return relay_ ? relay_->queued_bytes() : 0; }

}  // namespace tsock_cat
