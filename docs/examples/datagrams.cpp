// Questions and answers over datagrams. With an address it is a server; without one it tests itself, over a
// network in memory that loses, duplicates and reorders.
#include <array>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

// Sends every datagram back to its sender.
class Echo {
 public:
  explicit Echo(tsock::Datagram socket) : socket_(std::move(socket)) {}

  void next() {
    receiving_ = socket_.recvfrom();
    receiving_.set_callback([this](auto& request) {
      int err = 0;
      tsock::ReceivedDatagram datagram = request.recv(err);
      if (err == ECANCELED || err == ENOTCONN) return;
      if (err == 0) answer(std::move(datagram));
      next();
    });
  }

 private:
  void answer(tsock::ReceivedDatagram datagram) {
    const std::span<const std::byte> bytes = datagram.bytes();
    const tsock::Address& sender = datagram.source();
    socket_.sendto(replies_, bytes, sender).detach([datagram = std::move(datagram)](auto&) {});
  }

  tsock::Datagram socket_;
  tsock::Queue replies_{socket_.loop(), "replies"};
  tsock::Request<tsock::ReceivedDatagram> receiving_;
};

// Repeats the question until the answer arrives: both directions may lose datagrams.
class Ask : public tsock::Operation<std::string> {
 public:
  static constexpr const char* name = "ask";
  Ask(tsock::Datagram& socket, std::string question) : socket_(socket), question_(std::move(question)) {}

  void start() override {
    if (tries_++ == most_tries) {
      error(ETIMEDOUT);
      return;
    }
    // A sent datagram proves nothing; only the answer counts.
    sending_ = socket_.sendto(question_);
    listen();
  }

 private:
  static constexpr int most_tries = 20;

  void listen() {
    receiving_ = socket_.recvfrom(buffer_);
    receiving_.set_timeout(std::chrono::milliseconds(20));
    receiving_.set_callback([this](auto& request) {
      int err = 0;
      const tsock::ReceivedInto received = request.recv(err);
      if (err != 0) return start();  // ETIMEDOUT, or ECONNREFUSED while there is no server yet
      const std::string_view answer(reinterpret_cast<const char*>(buffer_.data()), received.size);
      if (received.truncated() || answer != question_) return listen();  // to an earlier question
      done(std::string(answer));
    });
  }

  tsock::Datagram& socket_;
  std::string question_;
  int tries_ = 0;
  std::array<std::byte, 512> buffer_{};
  tsock::Request<tsock::ssize_t> sending_;
  tsock::Request<tsock::ReceivedInto> receiving_;
};

int serve(const char* text) {
  tsock::Loop loop;
  int err = 0;
  const tsock::Address address = tsock::Address::parse(text, err);
  tsock::Datagram socket = tsock::Datagram::udp(loop, address, {}, {}, err);
  if (err != 0) {
    std::cerr << text << ": " << tsock::error_text(err) << '\n';
    return 1;
  }
  std::cout << "listening on " << socket.local_address() << std::endl;
  Echo echo(std::move(socket));
  echo.next();
  loop.run();
  return 0;
}

int test() {
  tsock::Loop loop;
  auto [client, server] =
      tsock::memory_datagram_pair(loop, {.seed = 7, .loss = 0.2, .duplication = 0.1, .reorder = 0.1});
  Echo echo(std::move(server));
  echo.next();

  int answered = 0;
  for (int i = 0; i < 50; ++i) {
    auto asking = tsock::make_request<Ask>(loop, client, "question " + std::to_string(i));
    int err = 0;
    if (asking.wait(err) && !asking.recv(err).empty()) ++answered;
  }
  std::printf("%d of 50 questions answered\n", answered);
  return answered == 50 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return argc > 1 ? serve(argv[1]) : test(); }
