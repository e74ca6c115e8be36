#include <algorithm>
#include <cerrno>
#include <memory>
#include <tsock/gssapi/accept.hpp>
#include <tsock/gssapi/connect.hpp>
#include <tsock/gssapi/peer.hpp>
#include <utility>

#include "gssapi/gss_codec.hpp"
#include "gssapi/gss_mechanism.hpp"
#include "layer/authenticate.hpp"

namespace tsock::inline v0::gssapi {

namespace {

// The frame of MIT krb5's sample programs, as they send it.
constexpr std::byte sample_context{0x02};
constexpr std::byte sample_data{0x04};
constexpr std::byte sample_wrapped{0x20};
constexpr std::byte sample_sealed{0x40};
// No token, but the context comes next: what a client says first.
constexpr std::string_view sample_greeting("\x11\0\0\0\0", 5);

constexpr std::size_t postgresql_most = std::size_t{16} * 1024 - 4;  // its length counts, too

MessageOptions limits_of(MessageOptions options) noexcept {
  if (options.frame != Frame::postgresql) return options;
  options.most_sent = std::min(options.most_sent, postgresql_most);
  options.most_received = std::min(options.most_received, postgresql_most);
  return options;
}

layer::RecordEngine::Format format_of(const MessageOptions& options, Protection protection) noexcept {
  layer::RecordEngine::Format format{.handshake = {.most = options.most_token},
                                     .data = {.most = std::max(options.most_received, options.most_sent)}};
  if (options.frame == Frame::mit_sample) {
    format.greeting = sample_greeting;
    format.handshake.mark = sample_context;
    format.handshake.skips_empty = true;
    format.data.mark = sample_data | sample_wrapped;
    if (protection == Protection::confidentiality) *format.data.mark |= sample_sealed;
    format.data.skips_empty = true;
  }
  return format;
}

template <class Options>
Request<Stream> authenticate(Stream below, const Options& options, const char* name, CallSite site) {
  auto context = std::make_unique<Context>(options);
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
