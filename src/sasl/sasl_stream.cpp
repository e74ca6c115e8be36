#include <cerrno>
#include <memory>
#include <new>
#include <tsock/layer/layer_over.hpp>
#include <tsock/sasl/accept.hpp>
#include <tsock/sasl/connect.hpp>
#include <tsock/sasl/peer.hpp>
#include <tsock/sasl/wrap.hpp>
#include <utility>

#include "layer/authenticate.hpp"
#include "layer/failed_engine.hpp"
#include "sasl/no_layer.hpp"
#include "sasl/sasl_codec.hpp"
#include "sasl/sasl_mechanism.hpp"

namespace tsock::inline v0::sasl {

namespace {

Request<Stream> refuse(Stream below, int err, std::string_view reason, const char* name, CallSite site) {
  return layer::layer_over(std::move(below), std::make_unique<layer::FailedEngine>(err, std::string(reason)),
                           name, {}, site);
}

template <class Mechanism, class State, class Options>
Request<Stream> authenticate(Stream below, const Options& options, const char* name, CallSite site) {
  auto state = std::make_shared<State>(options);
  state->set_addresses(below.local_address(), below.remote_address());
  if (const int err = state->open(); err != 0)
    return refuse(std::move(below), err, state->reason(), name, site);
  // A response may be empty.
  const layer::RecordEngine::Format format{.handshake = {.least = 0, .most = longest_frame}};
  return layer::authenticate(std::move(below), std::make_shared<Mechanism>(std::move(state)), format, name,
                             site);
}

}  // namespace

Request<Stream> wrap(Stream below, Session session, CallSite site) {
  constexpr const char* name = "sasl_wrap";
  if (!session.is_done()) return refuse(std::move(below), EINVAL, "the SASL session is not done", name, site);
  const std::shared_ptr<SessionState>& state = session.state();
  if (!state->has_layer()) return layer::protect(std::move(below), nullptr, {}, name, site);
  return layer::protect(std::move(below), std::make_unique<SaslCodec>(state), SaslCodec::format(*state), name,
                        site);
}

Request<Stream> connect(Stream below, const ClientOptions& options, CallSite site) {
  return authenticate<SaslClientMechanism, ClientState>(std::move(below), options, "sasl_connect", site);
}

Request<Stream> accept(Stream below, const ServerOptions& options, CallSite site) {
  return authenticate<SaslServerMechanism, ServerState>(std::move(below), options, "sasl_accept", site);
}

Peer peer(const Stream& stream, int& err) {
  err = 0;
  if (const auto* const codec = dynamic_cast<const SaslCodec*>(layer::codec_of(stream)); codec != nullptr)
    return codec->session().peer();
  if (const auto* const engine = dynamic_cast<const NoLayer*>(layer::engine_of(stream)); engine != nullptr)
    return engine->session().peer();
  err = ENOTSUP;
  return {};
}

}  // namespace tsock::inline v0::sasl
