// Asio as its users write it: read the header, read the body, one write after the other out of a queue. With
// the variant "readahead": take what is there, answer all of it with one write.

#include <array>
#include <asio.hpp>
#include <cstddef>
#include <deque>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "bench/asio_sessions.hpp"
#include "bench/server_options.hpp"

namespace {

using asio::ip::tcp;
using asio::ip::udp;
using std::error_code;

template <class Session>
void accept(tcp::acceptor& acceptor) {
  acceptor.async_accept([&acceptor](error_code err, tcp::socket socket) {
    if (!err) {
      socket.set_option(tcp::no_delay(true));
      std::make_shared<Session>(std::move(socket))->start();
    }
    accept<Session>(acceptor);
  });
}

template <class Session>
void serve(asio::io_context& context) {
  tcp::acceptor acceptor(context, tcp::v4(), bench::listen_on_loopback());
  accept<Session>(acceptor);
  context.run();
}

class DatagramEcho {
 public:
  DatagramEcho(asio::io_context& context, int fd) : socket_(context, udp::v4(), fd) {}

  void receive() {
    socket_.async_receive_from(asio::buffer(buffer_), peer_, [this](error_code err, std::size_t size) {
      if (err) {
        receive();
        return;
      }
      socket_.async_send_to(asio::buffer(buffer_.data(), size), peer_,
                            [this](error_code, std::size_t) { receive(); });
    });
  }

 private:
  udp::socket socket_;
  udp::endpoint peer_;
  std::array<unsigned char, bench::largest_datagram> buffer_{};
};

void serve_datagrams(asio::io_context& context, const std::vector<int>& sockets) {
  std::deque<DatagramEcho> echoes;
  for (const int fd : sockets) echoes.emplace_back(context, fd).receive();
  context.run();
}

void measure_deadlines(asio::io_context& context) {
  std::vector<asio::steady_timer> timers;
  for (std::size_t i = 0; i < bench::waiting_deadlines; ++i) {
    timers.emplace_back(context, std::chrono::seconds(60)).async_wait([](error_code) {});
  }
  asio::steady_timer one(context);
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < bench::deadline_operations; ++i) {
    one.expires_after(std::chrono::seconds(5));
    one.async_wait([](error_code) {});
    one.cancel();
    context.poll_one();  // the cancelled wait
  }
  bench::report(bench::deadline_operations, std::chrono::steady_clock::now() - begin);
}

void measure_posts(asio::io_context& context) {
  const auto work = asio::make_work_guard(context);
  std::size_t ran = 0;
  const auto begin = std::chrono::steady_clock::now();
  std::thread producer([&] {
    for (std::size_t i = 0; i < bench::post_operations; ++i) {
      asio::post(context, [&] {
        if (++ran == bench::post_operations) context.stop();
      });
    }
  });
  context.run();
  const auto end = std::chrono::steady_clock::now();
  producer.join();
  bench::report(ran, end - begin);
}

}  // namespace

int main(int argc, char** argv) {
  const bench::ServerOptions options(argc, argv);
  // One thread runs it; "post" alone comes from a second one.
  asio::io_context context(options.mode == bench::Mode::post ? ASIO_CONCURRENCY_HINT_DEFAULT : 1);
  switch (options.mode) {
    case bench::Mode::echo:
      if (options.variant == "readahead") {
        serve<bench::ReadAheadSession<tcp::socket>>(context);
      } else {
        serve<bench::MessageSession<tcp::socket>>(context);
      }
      break;
    case bench::Mode::sink:
      serve<bench::SinkSession<tcp::socket>>(context);
      break;
    case bench::Mode::source:
      serve<bench::SourceSession<tcp::socket>>(context);
      break;
    case bench::Mode::datagram:
      serve_datagrams(context, bench::datagram_sockets(options.sockets));
      break;
    case bench::Mode::deadline:
      measure_deadlines(context);
      break;
    case bench::Mode::post:
      measure_posts(context);
      break;
  }
}
