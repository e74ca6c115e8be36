// The server of the README as it is written on Asio: it echoes lines. from-asio.md compares the two.
#include <asio.hpp>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

namespace {

constexpr std::size_t max_line = 4096;

class Session : public std::enable_shared_from_this<Session> {
 public:
  explicit Session(asio::ip::tcp::socket socket)
      : socket_(std::move(socket)), idle_(socket_.get_executor()) {}

  void read() {
    // A timer is an operation of its own, which has to be stopped, and may have run out at that very moment.
    idle_.expires_after(std::chrono::minutes(5));
    idle_.async_wait([self = shared_from_this()](std::error_code error) {
      if (!error) self->socket_.close(error);
    });
    asio::async_read_until(socket_, asio::dynamic_buffer(input_, max_line + 1), '\n',
                           [self = shared_from_this()](std::error_code error, std::size_t length) {
                             self->idle_.cancel();
                             if (error) return;  // not_found: the line is too long
                             self->write(length);
                           });
  }

 private:
  void write(std::size_t length) {
    // The buffer may hold more than the line.
    asio::async_write(socket_, asio::buffer(input_, length),
                      [self = shared_from_this(), length](std::error_code error, std::size_t /*count*/) {
                        if (error) return;
                        self->input_.erase(0, length);
                        self->read();
                      });
  }

  asio::ip::tcp::socket socket_;
  asio::steady_timer idle_;
  std::string input_;
};

void accept(asio::ip::tcp::acceptor& acceptor) {
  acceptor.async_accept([&acceptor](std::error_code error, asio::ip::tcp::socket socket) {
    if (!error) std::make_shared<Session>(std::move(socket))->read();
    accept(acceptor);  // without descriptors this turns as fast as it can
  });
}

}  // namespace

int main(int argc, char** argv) {
  try {
    asio::io_context context;
    const auto port = static_cast<asio::ip::port_type>(argc > 1 ? std::atoi(argv[1]) : 7000);
    asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), port});
    std::cout << "listening on ipv4:" << acceptor.local_endpoint() << std::endl;
    accept(acceptor);
    context.run();
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
