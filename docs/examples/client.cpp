// Sends one message to a server of length-prefixed messages, and prints the answer: client 127.0.0.1:7000
// hello
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

namespace {

class Client {
 public:
  Client(tsock::Loop& loop, std::string message) : loop_(loop), message_(std::move(message)) {}

  void start(const tsock::Address& server) {
    connecting_ = tsock::Stream::connect(loop_, server, {.timeout = std::chrono::seconds(5)});
    connecting_.set_callback([this](auto&) { send_message(); });
  }
  [[nodiscard]] bool succeeded() const { return succeeded_; }

 private:
  void send_message() {
    int err = 0;
    stream_ = connecting_.recv(err);
    if (err != 0) return fail("connect", err);

    for (std::size_t i = 0; i < 4; ++i)
      header_[i] = static_cast<std::byte>(message_.size() >> (24 - 8 * i) & 0xffU);
    const std::array vectors = {tsock::make_vector(header_),
                                tsock::make_vector(std::as_bytes(std::span(message_)))};
    writing_ = stream_.writev(vectors);
    writing_.set_callback([this](auto& request) {
      int write_err = 0;
      request.recv(write_err);
      if (write_err != 0) return fail("write", write_err);
      read_header();
    });
  }

  void read_header() {
    reading_ = stream_.read(header_);
    reading_.set_timeout(std::chrono::seconds(5));
    reading_.set_callback([this](auto& request) {
      int err = 0;
      request.recv(err);
      if (err != 0) return fail("read the header", err);
      read_body();
    });
  }

  void read_body() {
    std::size_t length = 0;
    for (const std::byte b : header_) length = length << 8U | std::to_integer<std::size_t>(b);
    if (length == 0 || length > max_length) return fail("check the header", EMSGSIZE);
    body_.resize(length);
    reading_ = stream_.read(body_);
    reading_.set_timeout(std::chrono::seconds(5));
    reading_.set_callback([this](auto& request) {
      int err = 0;
      request.recv(err);
      if (err != 0) return fail("read the body", err);
      std::printf("%.*s\n", static_cast<int>(body_.size()), reinterpret_cast<const char*>(body_.data()));
      disconnect();
    });
  }

  void disconnect() {
    disconnecting_ = stream_.disconnect();
    disconnecting_.set_callback([this](auto& request) {
      int err = 0;
      request.recv(err);
      succeeded_ = err == 0;
    });
  }

  static void fail(const char* what, int err) {
    std::fprintf(stderr, "%s: %s\n", what, tsock::error_text(err).c_str());
  }

  static constexpr std::size_t max_length = std::size_t{1} << 20;

  tsock::Loop& loop_;
  std::string message_;
  std::array<std::byte, 4> header_{};
  std::vector<std::byte> body_;
  tsock::Stream stream_;
  tsock::Request<tsock::Stream> connecting_;
  tsock::Request<tsock::ssize_t> writing_;
  tsock::Request<tsock::ssize_t> reading_;
  tsock::Request<void> disconnecting_;
  bool succeeded_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: client address message\n");
    return 2;
  }
  int err = 0;
  const auto server = tsock::Address::parse(argv[1], err);
  if (err != 0) {
    std::fprintf(stderr, "%s: %s\n", argv[1], tsock::error_text(err).c_str());
    return 2;
  }
  tsock::Loop loop;
  Client client(loop, argv[2]);
  client.start(server);
  loop.run();
  return client.succeeded() ? 0 : 1;
}
