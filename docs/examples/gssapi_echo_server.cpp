// Echoes lines to clients that Kerberos vouches for: gssapi_echo_server 127.0.0.1:7450
// KRB5_KTNAME names the file with the server's key.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <tsock/gssapi/gssapi.hpp>
#include <tsock/layer/listen_over.hpp>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

struct Session {
  tsock::Stream stream;
  tsock::Pdu line{};
  tsock::Request<tsock::Pdu> reading{};
  tsock::Request<tsock::ssize_t> writing{};

  void start() {
    int err = 0;
    const tsock::gssapi::Peer peer = tsock::gssapi::peer(stream, err);
    std::printf("%s, %s, %s\n", peer.name.c_str(), peer.mechanism.c_str(),
                peer.is_sealed ? "sealed" : "signed");
    std::fflush(stdout);
    next();
  }
  void next() {
    reading = stream.readv_pdu(tsock::framing::line{.max_body = 4096});
    reading.set_timeout(std::chrono::minutes(5));
    reading.set_callback([this](auto& request) {
      int err = 0;
      line = request.recv(err);
      if (err != 0) {  // EBADMSG: somebody has changed a message; ETIME: the ticket is over
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
  if (argc != 2) {
    std::fprintf(stderr, "usage: gssapi_echo_server address\n");
    return 2;
  }
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
  const auto handshake = [](tsock::Stream stream) { return tsock::gssapi::accept(std::move(stream)); };
  auto listener = tsock::layer::listen_over(std::move(below), handshake, options);
  tsock::for_each_accept(listener, [](tsock::Stream stream) { (new Session{std::move(stream)})->start(); });

  auto end = loop.signal(SIGTERM);
  end.set_callback([&](auto&) { loop.stop(); });
  std::printf("listening on %s\n", listener.local_address().to_string().c_str());
  std::fflush(stdout);
  loop.run();
}
