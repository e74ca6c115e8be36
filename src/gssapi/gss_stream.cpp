#include <cerrno>
#include <memory>
#include <tsock/gssapi/accept.hpp>
#include <tsock/gssapi/connect.hpp>
#include <tsock/gssapi/peer.hpp>
#include <utility>

#include "gssapi/gss_codec.hpp"
#include "gssapi/gss_mechanism.hpp"
#include "gssapi/message_format.hpp"
#include "layer/authenticate.hpp"

namespace tsock::inline v0::gssapi {

namespace {

template <class Options>
Request<Stream> authenticate(Stream below, const Options& options, const char* name, CallSite site) {
  auto context = Context::create(options);
  context->demand_sequence();
  const MessageOptions messages = limits_of(options.messages);
  return layer::authenticate(std::move(below), std::make_shared<GssMechanism>(std::move(context), messages),
                             format_of(messages, options.protection), name, site);
}

}  // namespace

Request<Stream> connect(Stream below, const ConnectOptions& options, CallSite site) {
  return authenticate(std::move(below), options, "gssapi_connect", site);
}

Request<Stream> accept(Stream below, const AcceptOptions& options, CallSite site) {
  return authenticate(std::move(below), options, "gssapi_accept", site);
}

Peer peer(const Stream& stream, int& err) {
  const auto* const codec = dynamic_cast<const GssCodec*>(layer::codec_of(stream));
  err = codec != nullptr ? 0 : ENOTSUP;
  return codec != nullptr ? codec->context().peer() : Peer();
}

std::vector<std::byte> channel_bindings(std::string_view kind, std::span<const std::byte> value) {
  std::vector<std::byte> bindings;
  bindings.reserve(kind.size() + 1 + value.size());
  const auto bytes = std::as_bytes(std::span(kind));
  bindings.insert(bindings.end(), bytes.begin(), bytes.end());
  bindings.push_back(std::byte{':'});
  bindings.insert(bindings.end(), value.begin(), value.end());
  return bindings;
}

}  // namespace tsock::inline v0::gssapi
