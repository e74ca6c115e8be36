// Asio as its users write it: read the header, read the body, one write after the other out of a queue. With
// the variant "readahead": take what is there, answer all of it with one write.

#include <array>
#include <asio.hpp>
#include <cstddef>
#include <cstring>
#include <deque>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "bench/server_options.hpp"

namespace {

using asio::ip::tcp;
using asio::ip::udp;
using std::error_code;

class MessageSession : public std::enable_shared_from_this<MessageSession> {
 public:
  explicit MessageSession(tcp::socket socket) : socket_(std::move(socket)) {}
  void start() { read_header(); }

 private:
  void read_header() {
    asio::async_read(socket_, asio::buffer(header_),
                     [self = shared_from_this()](error_code err, std::size_t) {
                       if (err) return;
                       self->message_.resize(bench::message_size(self->header_.data()));
                       std::memcpy(self->message_.data(), self->header_.data(), self->header_.size());
                       self->read_body();
                     });
  }

  void read_body() {
    asio::async_read(socket_, asio::buffer(message_) + header_.size(),
                     [self = shared_from_this()](error_code err, std::size_t) {
                       if (err) return;
                       const bool is_writing = !self->replies_.empty();
                       self->replies_.push_back(std::move(self->message_));
                       if (!is_writing) self->write();
                       self->read_header();
                     });
  }

  void write() {
    asio::async_write(socket_, asio::buffer(replies_.front()),
                      [self = shared_from_this()](error_code err, std::size_t) {
                        if (err) return;
                        self->replies_.pop_front();
                        if (!self->replies_.empty()) self->write();
                      });
  }

  tcp::socket socket_;
  std::array<unsigned char, 4> header_{};
  std::vector<unsigned char> message_;
  std::deque<std::vector<unsigned char>> replies_;
};

class ReadAheadSession : public std::enable_shared_from_this<ReadAheadSession> {
 public:
  explicit ReadAheadSession(tcp::socket socket) : socket_(std::move(socket)) {}

  void start() {
    socket_.async_read_some(in_.prepare(64 * 1024),
                            [self = shared_from_this()](error_code err, std::size_t count) {
                              if (err) return;
                              self->in_.commit(count);
                              self->parse();
                              self->start();
                            });
  }

 private:
  void parse() {
    const auto* const bytes = static_cast<const unsigned char*>(in_.data().data());
    std::size_t done = 0;
    while (in_.size() - done >= 4) {
      const std::size_t message = bench::message_size(bytes + done);
      if (in_.size() - done < message) break;
      waiting_.insert(waiting_.end(), bytes + done, bytes + done + message);
      done += message;
    }
    in_.consume(done);
    if (!waiting_.empty() && leaving_.empty()) write();
  }

  void write() {
    leaving_.swap(waiting_);
    asio::async_write(socket_, asio::buffer(leaving_),
                      [self = shared_from_this()](error_code err, std::size_t) {
                        if (err) return;
                        self->leaving_.clear();
                        if (!self->waiting_.empty()) self->write();
                      });
  }

  tcp::socket socket_;
  asio::streambuf in_;
  std::vector<unsigned char> waiting_;
  std::vector<unsigned char> leaving_;
};

class SinkSession : public std::enable_shared_from_this<SinkSession> {
 public:
  explicit SinkSession(tcp::socket socket) : socket_(std::move(socket)) {}
  void start() {
    asio::async_read(socket_, asio::buffer(bench::bulk_bytes().data(), bench::bulk_vector),
                     [self = shared_from_this()](error_code err, std::size_t) {
                       if (!err) self->start();
                     });
  }

 private:
  tcp::socket socket_;
};

class SourceSession : public std::enable_shared_from_this<SourceSession> {
 public:
  explicit SourceSession(tcp::socket socket) : socket_(std::move(socket)) {}
  void start() {
    asio::async_write(socket_, asio::buffer(bench::bulk_bytes().data(), bench::bulk_vector),
                      [self = shared_from_this()](error_code err, std::size_t) {
                        if (!err) self->start();
                      });
  }

 private:
  tcp::socket socket_;
};

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
        serve<ReadAheadSession>(context);
      } else {
        serve<MessageSession>(context);
      }
      break;
    case bench::Mode::sink:
      serve<SinkSession>(context);
      break;
    case bench::Mode::source:
      serve<SourceSession>(context);
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
