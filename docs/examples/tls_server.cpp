// Echoes lines over TLS: tls_server 127.0.0.1:7443 chain.pem key.pem
// SIGHUP reads the certificate again; connections that are open keep the one they were made with.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <tsock/tls/tls.hpp>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

class Certificates {
 public:
  Certificates(std::string chain, std::string key) {
    options_.identities = {{.certificate_file = std::move(chain), .key_file = std::move(key)}};
  }

  bool load() {
    int err = 0;
    std::string reason;
    const tsock::tls::Context next = tsock::tls::Context::server(options_, err, reason);
    if (err == 0) {
      context_ = next;
    } else {
      std::fprintf(stderr, "certificate: %s\n",
                   reason.empty() ? tsock::error_text(err).c_str() : reason.c_str());
    }
    return err == 0;
  }
  [[nodiscard]] const tsock::tls::Context& context() const { return context_; }

 private:
  tsock::tls::ServerOptions options_;  // with the keys of the tickets, which outlive a certificate
  tsock::tls::Context context_;
};

struct Session {
  tsock::Stream stream;
  tsock::Pdu line{};
  tsock::Request<tsock::Pdu> reading{};
  tsock::Request<tsock::ssize_t> writing{};

  void next() {
    reading = stream.readv_pdu(tsock::framing::line{.max_body = 4096});
    reading.set_timeout(std::chrono::minutes(5));
    reading.set_callback([this](auto& request) {
      int err = 0;
      line = request.recv(err);
      if (err != 0) {  // EPIPE: the client has said close_notify; EPROTO: the connection was cut
        std::move(stream).disconnect().detach();
        return delete this;
      }
      writing = stream.writev(line.vector());
      writing.set_callback([this](auto&) { next(); });
    });
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: tls_server address chain.pem key.pem\n");
    return 2;
  }
  Certificates certificates(argv[2], argv[3]);
  if (!certificates.load()) return 1;
  tsock::Loop loop;
  int err = 0;
  const auto address = tsock::Address::parse(argv[1], err);
  tsock::Listener below;
  if (err == 0) below = tsock::Listener::listen(loop, address, {}, err);
  if (err != 0) {
    std::fprintf(stderr, "%s: %s\n", argv[1], tsock::error_text(err).c_str());
    return 1;
  }
  tsock::layer::ListenOptions options;
  options.on_failure = [](const tsock::Address& peer, int failure, std::string_view reason) {
    std::fprintf(stderr, "%s: %s: %.*s\n", peer.to_string().c_str(), tsock::error_text(failure).c_str(),
                 static_cast<int>(reason.size()), reason.data());
  };
  auto listener = tsock::tls::listen(
      std::move(below), [&certificates] { return certificates.context(); }, options);
  tsock::for_each_accept(listener, [](tsock::Stream stream) { (new Session{std::move(stream)})->next(); });

  tsock::Request<int> reload;
  const auto wait_for_reload = [&](const auto& self) -> void {
    reload = loop.signal(SIGHUP);
    reload.set_callback([&, self](auto&) {
      if (certificates.load()) std::printf("reloaded\n"), std::fflush(stdout);
      self(self);
    });
  };
  wait_for_reload(wait_for_reload);
  auto end = loop.signal(SIGTERM);
  end.set_callback([&](auto&) { loop.stop(); });
  std::printf("listening on %s\n", listener.local_address().to_string().c_str());
  std::fflush(stdout);
  loop.run();
}
