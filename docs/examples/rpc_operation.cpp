// A user-defined operation: a call over a stream (request out, answer in) as one Request.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

using namespace std::chrono_literals;

// A question and an answer are a line each.
constexpr tsock::framing::line calls{.max_body = 4096};

// A connection with many calls in flight; the answers come in the order of the calls.
struct Connection {
  tsock::Stream stream;
  tsock::Queue out{stream.loop(), "calls"};
  tsock::Queue in{stream.loop(), "answers"};
};

class Call final : public tsock::Operation<std::string> {
 public:
  static constexpr const char* name = "call";

  Call(Connection& connection, std::string question)
      : connection_(connection), question_(std::make_unique<std::string>(std::move(question))) {}

  void start() override {
    writing_ = connection_.stream.write_pdu(connection_.out, calls, *question_);
    then(writing_);
    reading_ = connection_.stream.readv_pdu(connection_.in, calls);
    then(reading_, [this](const tsock::Pdu& answer) { done(std::string(answer.text())); });
  }

  // Cancelled, too late, or the caller's Request is gone. The question may be out, and then its answer must
  // not be taken for that of the next call: both halves go on by themselves.
  void cleanup(tsock::Outcome outcome, int /*err*/) noexcept override {
    if (outcome == tsock::Outcome::done) return;
    std::move(writing_).detach([question = std::move(question_)](auto&) {});
    std::move(reading_).detach();
  }

 private:
  Connection& connection_;
  std::unique_ptr<std::string> question_;
  tsock::Request<tsock::ssize_t> writing_;
  tsock::Request<tsock::Pdu> reading_;
};

tsock::Request<std::string> call(Connection& connection, std::string question,
                                 tsock::CallSite site = tsock::CallSite::current()) {
  return tsock::make_request<Call>({connection.stream.loop(), site}, connection, std::move(question));
}

// The other end: answers each line with its capital letters.
void serve(tsock::Stream& stream) {
  stream.readv_pdu(tsock::framing::line{.max_body = 4096}).detach([&stream](auto& request) {
    int err = 0;
    tsock::Pdu line = request.recv(err);
    if (err != 0) return;
    for (std::byte& b : line.body()) {
      if (b >= std::byte{'a'} && b <= std::byte{'z'}) b ^= std::byte{0x20};
    }
    const auto reply = line.vector();
    stream.writev(reply).detach([&stream, line = std::move(line)](auto&) { serve(stream); });
  });
}

void print(tsock::Request<std::string>& request) {
  int err = 0;
  const std::string answer = request.recv(err);
  std::printf("%s '%s'\n", tsock::error_name(err).data(), answer.c_str());
}

}  // namespace

int main() {
  tsock::Loop loop;
  auto [here, there] = tsock::memory_stream_pair(loop);
  Connection connection{std::move(here)};

  auto first = call(connection, "first");
  auto second = call(connection, "second");
  auto third = call(connection, "third");
  first.set_callback(print);
  second.set_callback(print);
  third.set_callback(print);
  third.set_timeout(5s);
  second.cancel();

  loop.dump(std::cout);
  serve(there);
  loop.run_until_idle();
  return 0;
}
