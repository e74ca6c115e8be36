#include "proxies.hpp"

#include <cerrno>
#include <chrono>
#include <optional>
#include <tsock/proxy/proxy.hpp>
#include <utility>

#include "tls_report.hpp"

namespace tsock_cat {

namespace proxy = tsock::proxy;

std::unique_ptr<Proxies> Proxies::make(const Options& options, Failure& failure) {
  const ProxyOptions& wanted = options.proxy;
  if (wanted.protocol == ProxyOptions::Protocol::none && !wanted.sent_header && !wanted.accepts_header)
    return nullptr;
  auto made = std::make_unique<Proxies>(options);
  if (!wanted.user.empty()) failure = made->read_password();
  if (failure) return nullptr;
  return made;
}

Failure Proxies::read_password() {
  Failure failure;
  std::optional<Secret> text;
  if (!options_.proxy.password_file.empty()) {
    text = read_secret(options_.proxy.password_file, false, failure);
  } else if (options_.proxy.password_descriptor >= 0) {
    text = read_secret_from(options_.proxy.password_descriptor, failure);
  } else {
    text = take_secret_variable("TSOCK_CAT_PROXY_PASSWORD");
  }
  if (text) password_ = text->first_line();
  return failure;
}

tsock::Request<tsock::Stream> Proxies::connect(tsock::Stream below, const Endpoint& target) const {
  const proxy::Target asked{.host = target.host, .port = target.port};
  const std::string& user = options_.proxy.user;
  if (options_.proxy.protocol == ProxyOptions::Protocol::socks5) {
    return proxy::socks5_connect(std::move(below), asked,
                                 {.user = user, .password = std::string(password_.text())});
  }
  return proxy::http_connect(std::move(below), asked,
                             {.user = user, .password = std::string(password_.text())});
}

// Who is not let in is a matter of security; who is not reached, of connecting.
Failure Proxies::failure(const Endpoint& target, int err, std::string_view reason) const {
  Failure failure = handshake_failure("proxy", options_.proxy.endpoint.text, err, reason);
  failure.what = "connect to " + target.text + " through " + options_.proxy.endpoint.text;
  if (err != EACCES && err != ETIMEDOUT) failure.code = ExitCode::connect;
  return failure;
}

PeerReport Proxies::describe() const {
  PeerReport report;
  report.event = "proxy";
  report.text = "through " + options_.proxy.endpoint.text;
  report.fields = {{"through", options_.proxy.endpoint.text}};
  return report;
}

tsock::Request<tsock::ssize_t> Proxies::send_header(tsock::Stream& stream, proxy::Header header) const {
  header.version = *options_.proxy.sent_header;
  return proxy::send_header(stream, header);
}

tsock::Listener Proxies::listen(tsock::Listener below, const OnHandshakeFailure& on_failure) const {
  proxy::AcceptOptions each;
  each.trusted = options_.proxy.trusted;
  tsock::layer::ListenOptions options;
  options.handshake_time = std::chrono::ceil<std::chrono::milliseconds>(options_.handshake_timeout);
  options.on_failure = [on_failure](const tsock::Address& peer, int err, std::string_view reason) {
    on_failure(handshake_failure("PROXY", peer.to_string(), err, reason));
  };
  return proxy::listen(std::move(below), each, std::move(options));
}

std::optional<PeerReport> Proxies::describe(const tsock::Stream& accepted) {
  const proxy::Header* const header = proxy::header(accepted);
  if (header == nullptr) return std::nullopt;
  const std::string version = header->version == proxy::Header::Version::v1 ? "v1" : "v2";
  const std::string from = proxy::proxy_address(accepted).to_string();
  const bool is_local = header->command == proxy::Header::Command::local;
  const std::string authority = printable(header->authority().value_or(""));
  const std::string alpn = printable(header->alpn().value_or(""));
  PeerReport report;
  report.event = "proxy";
  report.text = "PROXY " + version + " of " + (from.empty() ? "the peer" : from);
  if (is_local) report.text += ", for itself";
  if (!header->source.is_empty())
    report.text += ": client " + header->source.to_string() + " to " + header->destination.to_string();
  if (!authority.empty()) report.text += ", server name " + authority;
  if (!alpn.empty()) report.text += ", ALPN " + alpn;
  report.fields = {{"version", version},
                   {"proxy", from},
                   {"local", is_local},
                   {"source", header->source.to_string()},
                   {"destination", header->destination.to_string()},
                   {"authority", authority},
                   {"alpn", alpn}};
  return report;
}

}  // namespace tsock_cat
