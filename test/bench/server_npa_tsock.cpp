// tsock over NPA as its users write it. Variants:
//   (none)  message mode: one request for each message read, one for each message written
//   byte    byte mode, with the session of server_tsock.cpp
//   unix    that session without NPA, which is what byte mode has to cost

#include <string>
#include <tsock/npa/npa.hpp>
#include <tsock/tsock.hpp>
#include <utility>

#include "bench/server_options.hpp"
#include "bench/tsock_sessions.hpp"

namespace {

class MessageSession {
 public:
  explicit MessageSession(tsock::Stream stream) : stream_(std::move(stream)) {}

  void start() {
    reading_ = stream_.read_message();
    reading_.set_callback([this](tsock::Request<tsock::Pdu>& request) {
      int err = 0;
      tsock::Pdu message = request.recv(err);
      if (err != 0) {
        delete this;
        return;
      }
      auto reply = message.vector();
      stream_.writev(out_, reply).detach([message = std::move(message)](auto&) {});
      start();
    });
  }

 private:
  tsock::Stream stream_;
  tsock::Queue out_{stream_.loop(), "replies"};
  tsock::Request<tsock::Pdu> reading_;
};

template <class Session>
int serve(tsock::Loop& loop, tsock::Listener listener) {
  tsock::for_each_accept(listener, [](tsock::Stream stream) { (new Session(std::move(stream)))->start(); });
  loop.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::ServerOptions options(argc, argv);
  if (options.mode != bench::Mode::echo) bench::unsupported();
  tsock::Loop loop;
  int err = 0;
  const std::string name = bench::unix_name();
  const auto address = tsock::Address::unix_abstract(name, err);
  auto below = tsock::Listener::unix_stream(loop, address, {.backlog = 4096}, err);
  if (err != 0) return 1;
  bench::announce_unix(name);
  if (options.variant == "unix") return serve<bench::EchoSession>(loop, std::move(below));
  if (options.variant.empty()) return serve<MessageSession>(loop, tsock::npa::listen(std::move(below)));
  if (options.variant != "byte") bench::unsupported();
  const tsock::npa::AcceptOptions each{.reply = {.file_type = tsock::npa::FileType::byte_mode}};
  return serve<bench::EchoSession>(loop, tsock::npa::listen(std::move(below), each));
}
