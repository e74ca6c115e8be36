#include "acceptor.hpp"

#include <cerrno>
#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <tsock/error.hpp>
#include <tsock/layer/listen_over.hpp>
#include <tsock/listener.hpp>
#include <utility>
#include <vector>

#include "datagram_socket.hpp"
#include "lookup.hpp"
#include "peers.hpp"

namespace tsock_cat {
namespace {

// What is known of the TLS below a layer, which hides it: from the layer's handshake until the connection is
// accepted, by the address of the peer.
class TlsReports {
 public:
  void add(const tsock::Address& peer, TlsReport report) {
    reports_.insert_or_assign(peer.to_string(), std::move(report));
  }
  TlsReport take(const tsock::Address& peer) {
    auto node = reports_.extract(peer.to_string());
    return node.empty() ? TlsReport() : std::move(node.mapped());
  }

 private:
  std::map<std::string, TlsReport> reports_;
};

class StreamAcceptor final : public Acceptor {
 public:
  StreamAcceptor(const Services& services, const Endpoint& endpoint, tsock::Listener listener,
                 std::shared_ptr<TlsReports> tls_below = nullptr)
      : services_(services),
        endpoint_(endpoint),
        listener_(std::move(listener)),
        tls_below_(std::move(tls_below)) {
    listener_.set_pause_callback([report = &services.report](int err) {
      report->note(0, "accepting pauses: " + tsock::error_text(err));
    });
  }

  void accept(OnAccept on_accept) override {
    accepting_ = listener_.accept();
    accepting_.set_callback([this, on_accept = std::move(on_accept)](tsock::Request<tsock::Stream>& request) {
      int err = 0;
      Channel channel;
      channel.stream = request.recv(err);
      channel.name = endpoint_.text;
      if (err == 0) describe(channel);
      on_accept(err, std::move(channel));
    });
  }
  [[nodiscard]] std::string address() const override {
    constexpr std::string_view npa_listen = "npa-listen:";
    if (endpoint_.is_npa) return "npa:" + endpoint_.text.substr(npa_listen.size());
    return (endpoint_.is_tls ? "tls://" : "") + listener_.local_address().to_string();
  }

 private:
  void describe(Channel& channel) const {
    channel.proxy = Proxies::describe(channel.stream);
    if (tls_below_) {
      channel.tls = tls_below_->take(channel.stream.remote_address());
    } else if (endpoint_.is_tls) {
      channel.tls = services_.tls->describe(channel.stream);
    }
    if (endpoint_.is_npa) services_.npa->describe(channel);
    if (const SecurityLayer* const layer = services_.layer_of(endpoint_))
      channel.peer = layer->describe(channel.stream);
  }

  Services services_;
  const Endpoint& endpoint_;
  tsock::Listener listener_;
  std::shared_ptr<TlsReports> tls_below_;
  tsock::Request<tsock::Stream> accepting_;
};

class DatagramAcceptor final : public Acceptor {
 public:
  explicit DatagramAcceptor(std::shared_ptr<Peers> peers) : peers_(std::move(peers)) {}
  DatagramAcceptor(const DatagramAcceptor&) = delete;
  DatagramAcceptor& operator=(const DatagramAcceptor&) = delete;
  ~DatagramAcceptor() override { peers_->stop_accepting(); }

  void accept(OnAccept on_accept) override { peers_->accept(std::move(on_accept)); }
  // "udp://" and the like in front: without it the address is that of a stream.
  [[nodiscard]] std::string address() const override {
    const tsock::Address local = peers_->local_address();
    const std::string text = local.to_string();
    if (local.is_inet()) return "udp://" + text;
    const std::string name = text.substr(text.find(':') + 1);
    return (local.is_abstract() ? "unix-abstract-dgram:" : "unix-dgram:") + name;
  }
  [[nodiscard]] std::function<std::uint64_t()> drop_counter() const override {
    return [peers = peers_] { return peers->dropped(); };
  }

 private:
  std::shared_ptr<Peers> peers_;
};

std::unique_ptr<Acceptor> listen_for_layer(const Services& services, const Endpoint& endpoint,
                                           const SecurityLayer& layer, tsock::Listener below,
                                           const OnHandshakeFailure& on_refused) {
  const auto reports = endpoint.is_tls ? std::make_shared<TlsReports>() : nullptr;
  const auto shake_hands = [&layer, tls = services.tls, reports](tsock::Stream stream) {
    TlsBinding binding;
    if (reports) {
      reports->add(stream.remote_address(), tls->describe(stream));
      binding = tls->binding(stream);
    }
    return layer.accept(std::move(stream), binding);
  };
  tsock::layer::ListenOptions options;
  options.handshake_time = std::chrono::ceil<std::chrono::milliseconds>(services.options.handshake_timeout);
  options.on_failure = [&layer, on_refused, reports, &endpoint](const tsock::Address& peer, int err,
                                                                std::string_view reason) {
    if (reports) static_cast<void>(reports->take(peer));
    const std::string name = peer.is_inet() ? peer.to_string() : "a client of " + endpoint.text;
    on_refused(handshake_failure(layer.protocol(), name, err, reason));
  };
  auto listener = tsock::layer::listen_over(std::move(below), shake_hands, std::move(options));
  return std::make_unique<StreamAcceptor>(services, endpoint, std::move(listener), reports);
}

std::unique_ptr<Acceptor> listen_on(const Services& services, const Endpoint& endpoint,
                                    const tsock::Address& address, const OnHandshakeFailure& on_refused,
                                    Failure& failure) {
  if (endpoint.is_npa) {
    auto listener = services.npa->listen(services.loop, endpoint, on_refused, failure);
    if (failure.err != 0) return nullptr;
    return std::make_unique<StreamAcceptor>(services, endpoint, std::move(listener));
  }
  if (!endpoint.is_datagram()) {
    tsock::ListenerOptions options = services.options.listener;
    // The wildcard serves both families, unless -4 or -6 says otherwise.
    if (address.is_inet() && endpoint.host.empty() && !services.options.ipv6_only) options.v6only = false;
    auto listener = tsock::Listener::listen(services.loop, address, options, failure.err);
    if (failure.err != 0) return nullptr;
    if (services.options.proxy.accepts_header)
      listener = services.proxies->listen(std::move(listener), on_refused);
    if (endpoint.is_tls) listener = services.tls->listen(std::move(listener), on_refused);
    if (const SecurityLayer* const layer = services.layer_of(endpoint))
      return listen_for_layer(services, endpoint, *layer, std::move(listener), on_refused);
    return std::make_unique<StreamAcceptor>(services, endpoint, std::move(listener));
  }
  tsock::Datagram socket = endpoint.is_unix() ? bind_unix_datagram(services, address, failure.err)
                                              : bind_udp(services, address, failure);
  if (failure.err != 0) return nullptr;
  return std::make_unique<DatagramAcceptor>(std::make_shared<Peers>(services, endpoint, std::move(socket)));
}

}  // namespace

std::unique_ptr<Acceptor> open_acceptor(const Services& services, const Endpoint& endpoint,
                                        const OnHandshakeFailure& on_refused, Failure& failure) {
  std::vector<tsock::Address> addresses{endpoint.unix_address};
  if (!endpoint.is_local()) {
    tsock::ResolveOptions options = resolve_options(services.options, endpoint);
    options.passive = true;
    auto request = tsock::resolve(services.loop, endpoint.host, std::to_string(endpoint.port), options);
    int err = 0;
    if (request.wait(err)) addresses = request.recv(err);
    if (err != 0) {
      failure = resolve_failure(services.options, endpoint, err);
      return nullptr;
    }
  }
  for (const tsock::Address& address : addresses) {
    failure = {};
    auto acceptor = listen_on(services, endpoint, address, on_refused, failure);
    if (acceptor) return acceptor;
    // A system without IPv6 has its wildcard too.
    if (failure.err != EAFNOSUPPORT && failure.err != EADDRNOTAVAIL) break;
  }
  if (failure.err == EAFNOSUPPORT && endpoint.is_named_pipe())
    failure.text = "this system has no named pipes; unix-listen:PATH is a local stream here";
  if (failure.err == EAFNOSUPPORT && endpoint.is_unix())
    failure.text = "this system has no unix sockets; pipe-listen:NAME is a local stream here";
  failure.code = ExitCode::listen;
  if (failure.what.empty()) failure.what = "listen on " + endpoint.text;
  return nullptr;
}

}  // namespace tsock_cat
