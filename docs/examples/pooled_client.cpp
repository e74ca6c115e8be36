// A client that keeps a few connections to a server of lines and shares them among its calls. A connection is
// made when it is needed, tried again when the server is not there yet, and dropped with a call that has
// failed or was abandoned, as its answer may still come.
//   pooled_client <address> <connections> <line>...
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <list>
#include <string>
#include <tsock/all_of.hpp>
#include <tsock/coroutine.hpp>
#include <tsock/retry.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;

constexpr tsock::framing::line lines{.max_body = 4096};

class Pool {
 public:
  Pool(tsock::Loop& loop, tsock::Address server, std::size_t size) : loop_(loop), server_(std::move(server)) {
    while (connections_.size() < size) connections_.emplace_back(loop);
  }
  // Cancel it, give it a deadline, destroy it: the pool remains as it was.
  tsock::Request<std::string> call(std::string question) {
    const auto least_busy = std::ranges::min_element(
        connections_, {}, [](const Connection& connection) { return connection.turns.length(); });
    return tsock::start(loop_, run(*least_busy, std::move(question)));
  }

 private:
  struct Connection {
    explicit Connection(tsock::Loop& loop) : turns(loop, "turns") {}
    tsock::Queue turns;
    tsock::Stream idle;
  };

  tsock::Task<std::string> run(Connection& connection, std::string question) {
    const auto [turn, stopped] = co_await connection.turns.wait();
    if (stopped != 0) co_return tsock::Failure{stopped};
    tsock::Stream stream = std::move(connection.idle);
    if (!stream.is_open()) {
      auto [made, err] =
          co_await tsock::retry(loop_, {}, [this] { return tsock::Stream::connect(loop_, server_); });
      if (err != 0) co_return tsock::Failure{err};
      stream = std::move(made);
    }
    const auto [size, broken] = co_await stream.write_pdu(lines, question);
    if (broken != 0) co_return tsock::Failure{broken};
    const auto [answer, err] = co_await tsock::with_timeout(stream.readv_pdu(lines), 5s);
    if (err != 0) co_return tsock::Failure{err};
    connection.idle = std::move(stream);
    co_return std::string(answer.text());
  }

  tsock::Loop& loop_;
  tsock::Address server_;
  std::list<Connection> connections_;
};

}  // namespace

int main(int argc, char** argv) {
  int err = argc < 4 ? EINVAL : 0;
  tsock::Address server;
  if (err == 0) server = tsock::Address::parse(argv[1], err);
  const int size = argc < 4 ? 0 : std::atoi(argv[2]);
  if (err != 0 || size < 1) {
    std::cerr << "usage: pooled_client <address> <connections> <line>...\n";
    return 2;
  }
  tsock::Loop loop;
  Pool pool(loop, server, static_cast<std::size_t>(size));
  std::vector<tsock::Request<std::string>> calls;
  for (int i = 3; i < argc; ++i) calls.push_back(pool.call(argv[i]));
  auto all = tsock::all_of(loop, std::move(calls));
  if (!all.wait(err)) return 1;
  const auto answers = all.recv(err);
  for (const std::string& answer : answers) std::cout << answer << '\n';
  if (err != 0) std::cerr << tsock::error_text(err) << '\n';
  return err == 0 ? 0 : 1;
}
