// GSSAPI by the library's public headers.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tsock/gssapi/gssapi.hpp>
#include <utility>
#include <vector>

#include "security_layer.hpp"
#include "tls_report.hpp"

namespace tsock_cat {
namespace {

namespace gssapi = tsock::gssapi;

gssapi::Credentials credentials_of(const GssapiOptions& options) {
  if (!options.ccache.empty()) return gssapi::Credentials::from_ccache(options.ccache, options.principal);
  if (!options.keytab.empty()) return gssapi::Credentials::from_keytab(options.keytab, options.principal);
  return {};
}

gssapi::MessageOptions messages_of(const GssapiOptions& options) {
  gssapi::MessageOptions messages;
  if (options.frame == "mit") messages.frame = gssapi::Frame::mit_sample;
  if (options.frame == "postgresql") messages.frame = gssapi::Frame::postgresql;
  return messages;
}

gssapi::Protection protection_of(const GssapiOptions& options) {
  return options.signs_only ? gssapi::Protection::integrity : gssapi::Protection::confidentiality;
}

class OpenGssapi final : public SecurityLayer {
 public:
  explicit OpenGssapi(const GssapiOptions& options) : options_(options) {}

  [[nodiscard]] std::string_view protocol() const noexcept override { return "GSSAPI"; }

  [[nodiscard]] tsock::Request<tsock::Stream> connect(tsock::Stream below, const Endpoint& /*endpoint*/,
                                                      const TlsBinding& tls) const override {
    gssapi::ConnectOptions options;
    options.target = options_.target;
    if (!options_.mechanism.empty()) options.mechanism = options_.mechanism;
    options.credentials = credentials_of(options_);
    options.delegate = options_.delegates;
    options.protection = protection_of(options_);
    options.channel_bindings = bindings(tls);
    options.messages = messages_of(options_);
    return gssapi::connect(std::move(below), options);
  }

  [[nodiscard]] tsock::Request<tsock::Stream> accept(tsock::Stream below,
                                                     const TlsBinding& tls) const override {
    gssapi::AcceptOptions options;
    options.mechanism = options_.mechanism;
    // A cache is the client's, where one of two ADDRESSes connects.
    if (!options_.keytab.empty())
      options.credentials = gssapi::Credentials::from_keytab(
          options_.keytab, options_.target.empty() ? options_.principal : std::string());
    options.protection = protection_of(options_);
    options.channel_bindings = bindings(tls);
    options.messages = messages_of(options_);
    return gssapi::accept(std::move(below), options);
  }

  [[nodiscard]] PeerReport describe(const tsock::Stream& stream) const override {
    int err = 0;
    const gssapi::Peer peer = gssapi::peer(stream, err);
    PeerReport report;
    report.event = "gssapi";
    const std::string mechanism = printable(peer.mechanism);
    const std::string name = peer.is_anonymous ? "" : printable(peer.name);
    report.text = "GSSAPI " + mechanism + ", " + (name.empty() ? "anonymous peer" : "peer " + name) + ", " +
                  (peer.is_sealed ? "sealed" : "signed only");
    if (peer.strength != 0) report.text += ", " + std::to_string(peer.strength) + " bits";
    if (!peer.is_mutual) report.text += ", the server has not proved who it is";
    if (peer.is_bound) report.text += ", bound to TLS";
    if (peer.delegated) report.text += ", with credentials to act for the peer";
    report.fields = {{"mechanism", mechanism},
                     {"peer", name},
                     {"own_name", printable(peer.own_name)},
                     {"sealed", peer.is_sealed},
                     {"strength", static_cast<std::uint64_t>(peer.strength)},
                     {"mutual", peer.is_mutual},
                     {"bound", peer.is_bound},
                     {"delegated", static_cast<bool>(peer.delegated)}};
    return report;
  }

 private:
  [[nodiscard]] std::vector<std::byte> bindings(const TlsBinding& tls) const {
    if (options_.has_no_binding || tls.server_end_point.empty()) return {};
    return gssapi::channel_bindings("tls-server-end-point", tls.server_end_point);
  }

  const GssapiOptions& options_;
};

}  // namespace

std::unique_ptr<SecurityLayer> SecurityLayer::make_gssapi(const Options& options, Failure& /*failure*/) {
  if (options.gssapi.target.empty() && !options.gssapi.accepts) return nullptr;
  return std::make_unique<OpenGssapi>(options.gssapi);
}

}  // namespace tsock_cat
