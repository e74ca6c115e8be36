// tsock as its users write it: one request for each message read, one for each message written.

#include <memory>
#include <tsock/tsock.hpp>
#include <utility>

#include "bench/server_options.hpp"

namespace {

class Session {
 public:
  explicit Session(tsock::Stream stream) : stream_(std::move(stream)) {}

  void next() {
    reading_ = stream_.readv_pdu(tsock::framing::u32be{.max_body = 1 << 24});
    reading_.set_callback([this](tsock::Request<tsock::Pdu>& request) {
      int err = 0;
      tsock::Pdu pdu = request.recv(err);
      if (err != 0) {
        delete this;
        return;
      }
      auto reply = pdu.vector();
      stream_.writev(out_, reply).detach([pdu = std::move(pdu)](auto&) {});
      next();
    });
  }

 private:
  tsock::Stream stream_;
  tsock::Queue out_{stream_.loop(), "replies"};
  tsock::Request<tsock::Pdu> reading_;
};

}  // namespace

int main(int argc, char** argv) {
  const bench::ServerOptions options(argc, argv);
  tsock::Loop loop;
  int err = 0;
  const auto address = tsock::Address::inet_from_strings("ipv4", "127.0.0.1", options.port, err);
  auto listener = tsock::Listener::tcp(loop, address, {.backlog = 4096}, err);
  if (err != 0) return 1;
  bench::announce(listener.local_address().port().value_or(0));
  tsock::for_each_accept(listener, [](tsock::Stream stream) { (new Session(std::move(stream)))->next(); });
  loop.run();
}
