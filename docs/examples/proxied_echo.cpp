// Echoes lines behind a proxy that says who the client is: proxied_echo 127.0.0.1:7000 127.0.0.0/8
// In haproxy.cfg: server echo 127.0.0.1:7000 send-proxy-v2
#include <chrono>
#include <cstdio>
#include <string>
#include <tsock/proxy/proxy.hpp>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

struct Session {
  tsock::Stream stream;
  tsock::Pdu line{};
  tsock::Request<tsock::Pdu> reading{};
  tsock::Request<tsock::ssize_t> writing{};

  void begin() {
    if (const auto* const header = tsock::proxy::header(stream); header != nullptr)
      std::printf("%s through %s, for %s\n", stream.remote_address().to_string().c_str(),
                  tsock::proxy::proxy_address(stream).to_string().c_str(),
                  std::string(header->authority().value_or("no name")).c_str());
    std::fflush(stdout);
    next();
  }

  void next() {
    reading = stream.readv_pdu(tsock::framing::line{.max_body = 4096});
    reading.set_timeout(std::chrono::minutes(5));
    reading.set_callback([this](auto& request) {
      int err = 0;
      line = request.recv(err);
      if (err != 0) {
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
  if (argc != 3) {
    std::fprintf(stderr, "usage: proxied_echo address network-of-the-proxies\n");
    return 2;
  }
  tsock::Loop loop;
  int err = 0;
  tsock::proxy::AcceptOptions each;
  each.trusted = {tsock::proxy::Network::parse(argv[2], err)};
  if (err != 0) {
    std::fprintf(stderr, "%s: no network, such as 10.0.0.0/8\n", argv[2]);
    return 2;
  }
  const auto address = tsock::Address::parse(argv[1], err);
  tsock::Listener below;
  if (err == 0) below = tsock::Listener::listen(loop, address, {}, err);
  if (err != 0) {
    std::fprintf(stderr, "%s: %s\n", argv[1], tsock::error_text(err).c_str());
    return 1;
  }
  auto listener = tsock::proxy::listen(std::move(below), each);
  tsock::for_each_accept(listener, [](tsock::Stream stream) { (new Session{std::move(stream)})->begin(); });
  std::printf("listening on %s\n", listener.local_address().to_string().c_str());
  std::fflush(stdout);
  loop.run();
}
