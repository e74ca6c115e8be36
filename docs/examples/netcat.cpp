// Connects standard input and output to a host by name: netcat localhost 7000
#include <chrono>
#include <cstdio>
#include <string_view>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

class Netcat {
 public:
  Netcat(tsock::Loop& loop, tsock::Stream input, tsock::Stream output)
      : loop_(loop), input_(std::move(input)), output_(std::move(output)) {}

  void start(std::string_view host, std::string_view service) {
    connecting_ =
        tsock::connect_to_host(loop_, host, service, {.connect = {.timeout = std::chrono::seconds(10)}});
    connecting_.set_callback([this](auto& request) {
      stream_ = request.recv(err_);
      if (err_ == 0) relay();
    });
  }
  [[nodiscard]] int error() const { return err_; }

 private:
  // Each pump half-closes its target at the end: the host sees the end of our input, and may still answer.
  void relay() {
    up_ = tsock::pump(input_, stream_);
    down_ = tsock::pump(stream_, output_);
    down_.set_callback([this](auto& request) {
      request.recv(err_);
      up_ = {};
    });
  }

  tsock::Loop& loop_;
  tsock::Stream input_;
  tsock::Stream output_;
  tsock::Stream stream_;
  tsock::Request<tsock::Stream> connecting_;
  tsock::Request<tsock::PumpResult> up_;
  tsock::Request<tsock::PumpResult> down_;
  int err_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: netcat host port\n");
    return 2;
  }
  tsock::Loop loop;
  int err = 0;
  auto input = tsock::open_stdio(loop, 0, err);
  tsock::Stream output;
  if (err == 0) output = tsock::open_stdio(loop, 1, err);
  if (err == 0) {
    Netcat netcat(loop, std::move(input), std::move(output));
    netcat.start(argv[1], argv[2]);
    loop.run();
    err = netcat.error();
  }
  if (err != 0) std::fprintf(stderr, "%s\n", tsock::error_text(err).c_str());
  return err == 0 ? 0 : 1;
}
