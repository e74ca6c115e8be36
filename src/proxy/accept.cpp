#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <tsock/layer/layer_over.hpp>
#include <tsock/proxy/accept.hpp>
#include <tsock/proxy/listen.hpp>
#include <utility>

#include "core/stream/stream_access.hpp"
#include "core/stream/stream_core.hpp"
#include "layer/failed_engine.hpp"
#include "layer/layer_stream.hpp"
#include "proxy/accept_engine.hpp"
#include "proxy/addressed_backend.hpp"

namespace tsock::inline v0::proxy {

namespace {

bool is_trusted(const Address& peer, const AcceptOptions& options) noexcept {
  return options.trusted.empty() || !peer.is_inet() ||
         std::ranges::any_of(options.trusted,
                             [&peer](const Network& network) { return network.contains(peer); });
}

/// For a connection that is not looked at.
class PlainEngine final : public layer::HandshakeEngine {
 public:
  layer::Step handshake(layer::ByteBlock& /*in*/, bool /*at_end*/,
                        layer::ByteBlock& /*out*/) noexcept override {
    return {};
  }
};

/// What a stream stands on and came with a header.
const HeaderHolder* holder_below(const Stream& stream) noexcept {
  detail::StreamCore* const source = StreamAccess::core(stream);
  if (source == nullptr || !source->is_open()) return nullptr;
  const StreamBackend* backend = detail::rearmost(source->backend());
  while (const auto* const layer = dynamic_cast<const layer::LayerStream*>(backend))
    backend = detail::rearmost(layer->below());
  return dynamic_cast<const HeaderHolder*>(backend);
}

}  // namespace

Request<Stream> accept(Stream below, const AcceptOptions& options, CallSite site) {
  std::unique_ptr<layer::Engine> engine;
  const Address peer = below.is_open() ? below.remote_address() : Address();
  if (is_trusted(peer, options)) {
    engine = std::make_unique<AcceptEngine>(options.presence, options.most_v2);
  } else if (options.untrusted == AcceptOptions::Untrusted::plain) {
    engine = std::make_unique<PlainEngine>();
  } else {
    int err = 0;
    engine = std::make_unique<layer::FailedEngine>(
        EACCES, peer.ip_string(err) + " is in no network from which a PROXY header is accepted");
  }
  return layer::layer_over(std::move(below), std::move(engine), "proxy_accept", {}, site);
}

Listener listen(Listener below, const AcceptOptions& each, layer::ListenOptions options) {
  return layer::listen_over(
      std::move(below), [each](Stream stream) { return accept(std::move(stream), each); },
      std::move(options));
}

const Header* header(const Stream& stream) noexcept {
  const HeaderHolder* const holder = holder_below(stream);
  return holder != nullptr ? &holder->header() : nullptr;
}

Address proxy_address(const Stream& stream) noexcept {
  const HeaderHolder* const holder = holder_below(stream);
  return holder != nullptr ? holder->proxy_address() : Address();
}

}  // namespace tsock::inline v0::proxy
