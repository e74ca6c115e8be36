// Half-close: the client ends its side, the server sees the end, still answers, and disconnects.
#include <array>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

// Reads to the end of the stream, then answers with the number of bytes.
class Counter {
 public:
  explicit Counter(tsock::Stream stream) : stream_(std::move(stream)) {}

  void read() {
    reading_ = stream_.read_some(buffer_);
    reading_.set_callback([this](auto& request) {
      int err = 0;
      const tsock::ssize_t count = request.recv(err);
      if (err == EPIPE) return answer();
      if (err != 0) return;
      total_ += static_cast<std::size_t>(count);
      read();
    });
  }

 private:
  void answer() {
    text_ = std::to_string(total_) + " bytes\n";
    writing_ = stream_.write(text_);
    writing_.set_callback([this](auto&) { disconnecting_ = stream_.disconnect(); });
  }

  tsock::Stream stream_;
  std::array<std::byte, 4096> buffer_{};
  std::size_t total_ = 0;
  std::string text_;
  tsock::Request<tsock::ssize_t> reading_;
  tsock::Request<tsock::ssize_t> writing_;
  tsock::Request<void> disconnecting_;
};

}  // namespace

int main() {
  tsock::Loop loop;
  int err = 0;
  auto [client, server] = tsock::Stream::socketpair(loop, err);
  if (err != 0) return 1;
  Counter counter(std::move(server));
  counter.read();

  auto monitor = client.monitor();
  monitor.set_callback([](auto& request) {
    int broken = 0;
    request.recv(broken);
    std::printf("monitor: %s\n", tsock::error_name(broken).data());
  });
  tsock::Queue out(loop, "requests");
  client.write(out, "hello, ").detach();
  client.write(out, "world").detach();
  client.shutdown_write(out).detach();

  auto answer = client.readv_pdu(tsock::framing::line{});
  answer.set_callback([](auto& request) {
    int read_err = 0;
    const tsock::Pdu line = request.recv(read_err);
    std::fputs("answer: ", stdout);
    std::fwrite(line.body().data(), 1, line.body().size(), stdout);
    std::fputs("\n", stdout);
  });
  loop.run();
  return 0;
}
