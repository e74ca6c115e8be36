// A test of a protocol without a network: both ends in this process, every order of events exact.
#include <cstdio>
#include <string_view>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

// The code under test: answers "ping" with "pong", ends at anything else.
class Responder {
 public:
  explicit Responder(tsock::Stream stream) : stream_(std::move(stream)) {}
  void run() {
    reading_ = stream_.readv_pdu(tsock::framing::line{.max_body = 80});
    reading_.set_callback([this](auto& request) {
      int err = 0;
      const tsock::Pdu line = request.recv(err);
      if (err != 0 || text(line) != "ping") {
        std::move(stream_).disconnect().detach();
        return;
      }
      writing_ = stream_.write("pong\n");
      writing_.set_callback([this](auto&) { run(); });
    });
  }
  static std::string_view text(const tsock::Pdu& pdu) {
    return {reinterpret_cast<const char*>(pdu.body().data()), pdu.body().size()};
  }

 private:
  tsock::Stream stream_;
  tsock::Request<tsock::Pdu> reading_;
  tsock::Request<tsock::ssize_t> writing_;
};

int failures = 0;

void check(bool good, const char* what) {
  std::printf("%s: %s\n", good ? "ok" : "FAILED", what);
  if (!good) ++failures;
}

void answers_ping_however_it_is_cut(std::size_t bytes_at_once) {
  tsock::Loop loop;
  auto [client, server] = tsock::memory_stream_pair(loop, {.max_transfer = bytes_at_once});
  Responder responder(std::move(server));
  responder.run();

  auto writing = client.write("ping\r\n");
  auto reading = client.readv_pdu(tsock::framing::line{.max_body = 80});
  loop.run_until_idle();

  int err = 0;
  check(!reading.is_in_progress() && Responder::text(reading.recv(err)) == "pong" && err == 0,
        "ping is answered with pong");
}

void ends_the_stream_at_an_unknown_word() {
  tsock::Loop loop;
  auto [client, server] = tsock::memory_stream_pair(loop);
  Responder responder(std::move(server));
  responder.run();

  auto writing = client.write("bong\n");
  auto reading = client.readv_pdu(tsock::framing::line{.max_body = 80});
  loop.run_until_idle();

  int err = 0;
  check(reading.is_error(err) && err == EPIPE && reading.transferred() == 0,
        "an unknown word ends the stream");
}

}  // namespace

int main() {
  for (const std::size_t bytes : {1U, 2U, 5U, 4096U}) answers_ping_however_it_is_cut(bytes);
  ends_the_stream_at_an_unknown_word();
  return failures == 0 ? 0 : 1;
}
