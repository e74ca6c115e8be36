// tsock as its users write it: one request for each message read, one for each message written.
// Variants: "deadline" gives every read a deadline, as a daemon with idle timeouts does. For datagrams:
// "into" receives into buffers of its own, "many" takes and sends what is there at once.

#include <array>
#include <memory>
#include <string_view>
#include <thread>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "bench/server_options.hpp"
#include "bench/tsock_sessions.hpp"

namespace {

template <class F>
int serve(F on_stream) {
  tsock::Loop loop;
  int err = 0;
  const auto address = tsock::Address::inet_from_strings("ipv4", "127.0.0.1", 0, err);
  auto listener = tsock::Listener::tcp(loop, address, {.backlog = 4096}, err);
  if (err != 0) return 1;
  bench::announce({listener.local_address().port().value_or(0)});
  tsock::for_each_accept(listener, on_stream);
  loop.run();
  return 0;
}

class DatagramEcho {
 public:
  explicit DatagramEcho(tsock::Datagram socket) : socket_(std::move(socket)) {}

  void start() {
    receiving_ = socket_.recvfrom();
    receiving_.set_callback([this](tsock::Request<tsock::ReceivedDatagram>& request) {
      int err = 0;
      tsock::ReceivedDatagram datagram = request.recv(err);
      if (err == 0) {
        const std::span<const std::byte> bytes = datagram.bytes();
        const tsock::Address& source = datagram.source();
        socket_.sendto(out_, bytes, source).detach([datagram = std::move(datagram)](auto&) {});
      }
      start();
    });
  }
  [[nodiscard]] std::uint16_t port() const { return socket_.local_address().port().value_or(0); }

 private:
  tsock::Datagram socket_;
  tsock::Queue out_{socket_.loop(), "replies"};
  tsock::Request<tsock::ReceivedDatagram> receiving_;
};

/// With buffers of the caller: a ring of them, each free again when its reply has left.
class DatagramIntoEcho {
 public:
  explicit DatagramIntoEcho(tsock::Datagram socket) : socket_(std::move(socket)) {
    for (auto& buffer : buffers_) free_.push_back(&buffer);
  }

  void start() {
    if (free_.empty()) {
      is_waiting_ = true;
      return;
    }
    Buffer* const buffer = free_.back();
    free_.pop_back();
    receiving_ = socket_.recvfrom(*buffer);
    receiving_.set_callback([this, buffer](tsock::Request<tsock::ReceivedInto>& request) {
      int err = 0;
      const tsock::ReceivedInto received = request.recv(err);
      if (err != 0) {
        free_.push_back(buffer);
      } else {
        const std::span<const std::byte> bytes(buffer->data(), received.size);
        socket_.sendto(out_, bytes, received.source).detach([this, buffer](auto&) { give_back(buffer); });
      }
      start();
    });
  }
  [[nodiscard]] std::uint16_t port() const { return socket_.local_address().port().value_or(0); }

 private:
  using Buffer = std::array<std::byte, bench::largest_datagram>;

  void give_back(Buffer* buffer) {
    free_.push_back(buffer);
    if (!std::exchange(is_waiting_, false)) return;
    start();
  }

  tsock::Datagram socket_;
  std::vector<Buffer> buffers_ = std::vector<Buffer>(64);
  std::vector<Buffer*> free_;
  bool is_waiting_ = false;
  tsock::Queue out_{socket_.loop(), "replies"};
  tsock::Request<tsock::ReceivedInto> receiving_;
};

/// Everything that waits, in one request each way.
class DatagramManyEcho {
 public:
  explicit DatagramManyEcho(tsock::Datagram socket) : socket_(std::move(socket)) {}

  void start() {
    receiving_ = socket_.recv_many(64, std::move(received_));
    receiving_.set_callback([this](tsock::Request<std::vector<tsock::ReceivedDatagram>>& request) {
      int err = 0;
      received_ = request.recv(err);
      if (err != 0 || received_.empty()) {
        start();
        return;
      }
      replies_.clear();
      for (const tsock::ReceivedDatagram& datagram : received_) {
        replies_.push_back({datagram.bytes(), datagram.source()});
      }
      sending_ = socket_.send_many(replies_);
      sending_.set_callback([this](auto&) { start(); });
    });
  }
  [[nodiscard]] std::uint16_t port() const { return socket_.local_address().port().value_or(0); }

 private:
  tsock::Datagram socket_;
  std::vector<tsock::ReceivedDatagram> received_;
  std::vector<tsock::OutgoingDatagram> replies_;
  tsock::Request<std::vector<tsock::ReceivedDatagram>> receiving_;
  tsock::Request<tsock::ssize_t> sending_;
};

template <class Session>
int serve_datagrams(std::size_t sockets, const tsock::DatagramOptions& options = {}) {
  tsock::Loop loop;
  int err = 0;
  const auto address = tsock::Address::inet_from_strings("ipv4", "127.0.0.1", 0, err);
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<std::uint16_t> ports;
  while (sessions.size() < sockets) {
    sessions.push_back(std::make_unique<Session>(tsock::Datagram::udp(loop, address, {}, options, err)));
    if (err != 0) return 1;
    ports.push_back(sessions.back()->port());
    sessions.back()->start();
  }
  bench::announce(ports);
  loop.run();
  return 0;
}

// On a read that waits, among many others that wait with a deadline of their own.
int measure_deadlines() {
  tsock::Loop loop;
  std::vector<tsock::Request<void>> waiting;
  for (std::size_t i = 0; i < bench::waiting_deadlines; ++i) {
    waiting.push_back(loop.sleep(std::chrono::hours(1)));
    waiting.back().set_timeout(std::chrono::seconds(60));
  }
  int err = 0;
  auto [near, far] = tsock::Stream::socketpair(loop, err);
  if (err != 0) return 1;
  std::array<std::byte, 64> bytes{};
  auto read = near.read(bytes);
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < bench::deadline_operations; ++i) {
    read.set_timeout(std::chrono::seconds(5));
    read.clear_deadline();
  }
  bench::report(bench::deadline_operations, std::chrono::steady_clock::now() - begin);
  return 0;
}

int measure_posts() {
  tsock::Loop loop;
  // Keeps the loop running until the last function has run.
  auto running = loop.sleep(std::chrono::hours(1));
  std::size_t ran = 0;
  const auto begin = std::chrono::steady_clock::now();
  std::thread producer([&] {
    for (std::size_t i = 0; i < bench::post_operations; ++i) {
      loop.post([&] {
        if (++ran == bench::post_operations) loop.stop();
      });
    }
  });
  loop.run();
  const auto end = std::chrono::steady_clock::now();
  producer.join();
  bench::report(ran, end - begin);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::ServerOptions options(argc, argv);
  bench::with_deadline = options.variant == "deadline";
  switch (options.mode) {
    case bench::Mode::echo:
      return serve([](tsock::Stream stream) { (new bench::EchoSession(std::move(stream)))->start(); });
    case bench::Mode::sink:
      return serve([](tsock::Stream stream) { (new bench::BulkSession(std::move(stream), true))->start(); });
    case bench::Mode::source:
      return serve([](tsock::Stream stream) { (new bench::BulkSession(std::move(stream), false))->start(); });
    case bench::Mode::datagram:
      if (options.variant == "into") return serve_datagrams<DatagramIntoEcho>(options.sockets);
      if (options.variant == "no-offload")
        return serve_datagrams<DatagramEcho>(options.sockets, {.send_offload = false});
      if (options.variant == "many") return serve_datagrams<DatagramManyEcho>(options.sockets);
      return serve_datagrams<DatagramEcho>(options.sockets);
    case bench::Mode::deadline:
      return measure_deadlines();
    case bench::Mode::post:
      return measure_posts();
  }
  return 2;
}
