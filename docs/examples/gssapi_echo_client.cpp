// Sends a line over GSSAPI and prints the answer: gssapi_echo_client localhost 7450 echo@localhost "hello"
// KRB5CCNAME names the cache with the user's ticket (kinit).
#include <chrono>
#include <cstdio>
#include <string>
#include <tsock/gssapi/gssapi.hpp>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

class Client {
 public:
  Client(std::string target, std::string line) : target_(std::move(target)), line_(std::move(line)) {}

  void start(tsock::Loop& loop, const char* host, const char* port) {
    connecting_ = tsock::connect_to_host(loop, host, port, {.connect = {.timeout = std::chrono::seconds(5)}});
    connecting_.set_callback([this](auto& request) {
      tsock::Stream below = request.recv(err_);
      if (err_ != 0) return fail("connect", request);
      // The KDC is asked on a worker thread: the deadline holds whatever it does.
      handshake_ = tsock::gssapi::connect(std::move(below), {.target = target_});
      handshake_.set_timeout(std::chrono::seconds(5));
      handshake_.set_callback([this](auto&) { exchange(); });
    });
  }
  [[nodiscard]] int error() const { return err_; }

 private:
  void exchange() {
    stream_ = handshake_.recv(err_);
    if (err_ != 0) return fail("GSSAPI", handshake_);
    writing_ = stream_.write(line_ + '\n');
    reading_ = stream_.readv_pdu(tsock::framing::line{.max_body = 4096});
    reading_.set_timeout(std::chrono::seconds(5));
    reading_.set_callback([this](auto& request) {
      const tsock::Pdu answer = request.recv(err_);
      if (err_ != 0) return fail("read", request);
      std::printf("%.*s\n", static_cast<int>(answer.body().size()),
                  reinterpret_cast<const char*>(answer.body().data()));
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

  std::string target_;
  std::string line_;
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
  if (argc != 5) {
    std::fprintf(stderr, "usage: gssapi_echo_client host port service@host line\n");
    return 2;
  }
  tsock::Loop loop;
  Client client(argv[3], argv[4]);
  client.start(loop, argv[1], argv[2]);
  loop.run();
  return client.error() == 0 ? 0 : 1;
}
