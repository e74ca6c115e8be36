// Sends a line over TLS and prints the answer: tls_client localhost 7443 "hello" [ca.pem]
#include <chrono>
#include <cstdio>
#include <string>
#include <tsock/tls/tls.hpp>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

class Client {
 public:
  Client(std::string host, std::string line) : host_(std::move(host)), line_(std::move(line)) {}

  // The system's CAs are trusted, or those of a file.
  bool prepare(const char* ca_file) {
    tsock::tls::ClientOptions options;
    if (ca_file != nullptr) options.trust = {.ca_file = ca_file};
    std::string reason;
    context_ = tsock::tls::Context::client(options, err_, reason);
    if (err_ != 0) std::fprintf(stderr, "%s\n", reason.c_str());
    return err_ == 0;
  }

  void start(tsock::Loop& loop, const char* port) {
    connecting_ =
        tsock::connect_to_host(loop, host_, port, {.connect = {.timeout = std::chrono::seconds(5)}});
    connecting_.set_callback([this](auto& request) {
      tsock::Stream below = request.recv(err_);
      if (err_ != 0) return fail("connect", request);
      // The name is sent to the server, and has to stand in its certificate.
      handshake_ = tsock::tls::connect(std::move(below), context_, {.peer_name = host_});
      handshake_.set_timeout(std::chrono::seconds(5));
      handshake_.set_callback([this](auto&) { exchange(); });
    });
  }
  [[nodiscard]] int error() const { return err_; }

 private:
  void exchange() {
    stream_ = handshake_.recv(err_);
    if (err_ != 0) return fail("TLS", handshake_);
    int err = 0;
    const tsock::tls::Peer peer = tsock::tls::peer(stream_, err);
    std::printf("%s, %s\n", peer.version.c_str(), peer.cipher.c_str());
    writing_ = stream_.write(line_ + '\n');
    reading_ = stream_.readv_pdu(tsock::framing::line{.max_body = 4096});
    reading_.set_timeout(std::chrono::seconds(5));
    reading_.set_callback([this](auto& request) {
      const tsock::Pdu answer = request.recv(err_);
      if (err_ != 0) return fail("read", request);
      std::printf("%.*s\n", static_cast<int>(answer.body().size()),
                  reinterpret_cast<const char*>(answer.body().data()));
      // Sends close_notify, and waits for the server's.
      ending_ = stream_.disconnect();
      ending_.set_callback([this](auto& ended) { ended.recv(err_); });
    });
  }

  template <class T>
  void fail(const char* what, const tsock::Request<T>& request) {
    const std::string reason(request.reason());
    std::fprintf(stderr, "%s: %s%s%s\n", what, tsock::error_text(err_).c_str(), reason.empty() ? "" : ": ",
                 reason.c_str());
    writing_ = {};
  }

  std::string host_;
  std::string line_;
  tsock::tls::Context context_;
  tsock::Stream stream_;
  tsock::Request<tsock::Stream> connecting_;
  tsock::Request<tsock::Stream> handshake_;
  tsock::Request<tsock::ssize_t> writing_;
  tsock::Request<tsock::Pdu> reading_;
  tsock::Request<void> ending_;
  int err_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    std::fprintf(stderr, "usage: tls_client host port line [ca.pem]\n");
    return 2;
  }
  Client client(argv[1], argv[3]);
  if (!client.prepare(argc == 5 ? argv[4] : nullptr)) return 1;
  tsock::Loop loop;
  client.start(loop, argv[2]);
  loop.run();
  return client.error() == 0 ? 0 : 1;
}
