// A server of length-prefixed messages in the shape of servers on tsocket: a next-vector function
// reads the message into memory of the connection, and the answer goes out through a queue.
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <span>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

namespace {

using Message = std::vector<std::byte>;

class Connection {
 public:
  explicit Connection(tsock::Stream stream) : stream_(std::move(stream)) {}

  void read_call() {
    call_.clear();
    reading_ = stream_.readv_pdu([this](tsock::VectorList& vectors) { return next_vector(vectors); });
    reading_.set_callback([this](auto& request) {
      int err = 0;
      request.recv(err);
      if (err != 0) return end();
      send_reply(std::make_unique<Message>(std::move(call_)));
      read_call();
    });
  }

 private:
  // First the header, then what the header announces, then nothing: the message is complete.
  int next_vector(tsock::VectorList& vectors) {
    const std::size_t have = call_.size();
    if (have == 0) {
      call_.resize(header_size);
    } else if (have == header_size) {
      std::size_t body = 0;
      for (const std::byte b : call_) body = body << 8U | std::to_integer<std::size_t>(b);
      if (body == 0 || body > max_body) return EMSGSIZE;
      call_.resize(header_size + body);
    } else {
      return 0;
    }
    vectors.add(std::span(call_).subspan(have));
    return 0;
  }

  void send_reply(std::unique_ptr<Message> reply) {
    auto writing = stream_.write(replies_, *reply);
    std::move(writing).detach([reply = std::move(reply)](auto& request) {
      int err = 0;
      if (request.is_error(err) && err != ECANCELED)
        std::fprintf(stderr, "%s\n", tsock::error_text(err).c_str());
    });
  }

  // Waiting replies go out first, then the peer sees the end; the loop takes care of both.
  void end() {
    std::move(stream_).disconnect(std::move(replies_)).detach();
    delete this;
  }

  static constexpr std::size_t header_size = 4;
  static constexpr std::size_t max_body = 65536;

  tsock::Stream stream_;
  tsock::Queue replies_{stream_.loop(), "replies"};
  Message call_;
  tsock::Request<tsock::ssize_t> reading_;
};

}  // namespace

int main(int argc, char** argv) {
  tsock::Loop loop;
  int err = 0;
  const auto address =
      tsock::Address::inet_from_hostport_strings("ip", argc > 1 ? argv[1] : "127.0.0.1", 7000, err);
  auto listener = tsock::Listener::tcp(loop, address, {}, err);
  if (err != 0) {
    std::fprintf(stderr, "%s\n", tsock::error_text(err).c_str());
    return 1;
  }
  std::printf("listening on %s\n", listener.local_address().to_string().c_str());
  std::fflush(stdout);
  tsock::for_each_accept(listener,
                         [](tsock::Stream stream) { (new Connection(std::move(stream)))->read_call(); });
  loop.run();
  return 0;
}
