// Echoes every line, however many a client sends before it reads. Try: printf 'a\nb\n' | nc -N localhost
// 7000
#include <cstdio>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

class Session {
 public:
  explicit Session(tsock::Stream stream) : stream_(std::move(stream)) {}

  void read_line() {
    reading_ = stream_.readv_pdu(tsock::framing::line{.max_body = 4096});
    reading_.set_callback([this](auto& request) {
      int err = 0;
      tsock::Pdu line = request.recv(err);
      if (err != 0) return end();
      stream_.write(replies_, std::move(line)).detach();
      read_line();
    });
  }

 private:
  // Waiting replies go out first, then the peer sees the end; the loop takes care of both.
  void end() {
    std::move(stream_).disconnect(std::move(replies_)).detach();
    delete this;
  }

  tsock::Stream stream_;
  tsock::Queue replies_{stream_.loop(), "replies"};
  tsock::Request<tsock::Pdu> reading_;
};

}  // namespace

int main(int argc, char** argv) {
  tsock::Loop loop;
  int err = 0;
  const auto address = tsock::Address::parse(argc > 1 ? argv[1] : "127.0.0.1:7000", err);
  auto listener = tsock::Listener::listen(loop, address, {}, err);
  if (err != 0) {
    std::fprintf(stderr, "%s\n", tsock::error_text(err).c_str());
    return 1;
  }
  std::printf("listening on %s\n", listener.local_address().to_string().c_str());
  std::fflush(stdout);
  tsock::for_each_accept(listener,
                         [](tsock::Stream stream) { (new Session(std::move(stream)))->read_line(); });
  loop.run();
  return 0;
}
