#include <iostream>
#include <string>
#include <tsock/tsock.hpp>

struct Session {  // echoes every line; may be deleted at any time
  tsock::Stream stream;
  tsock::Pdu line{};
  tsock::Request<tsock::Pdu> reading{};
  tsock::Request<tsock::ssize_t> writing{};

  void next() {
    reading = stream.readv_pdu(tsock::framing::line{.max_body = 4096});
    reading.set_timeout(std::chrono::minutes(5));
    reading.set_callback([this](auto& request) {
      int err = 0;
      line = request.recv(err);
      if (err != 0) {  // EPIPE: the client has ended; ETIMEDOUT: it is silent
        std::move(stream).disconnect().detach();
        return delete this;
      }
      writing = stream.writev(line.vector());
      writing.set_callback([this](auto&) { next(); });  // it reports a broken connection
    });
  }
};

int main(int argc, char** argv) {
  tsock::Loop loop;
  int err = 0;
  const std::string text = argc > 1 ? argv[1] : "127.0.0.1:7000";
  const auto address = tsock::Address::parse(text, err);
  if (err != 0) return std::cerr << text << ": " << tsock::Address::parse_error_text(text) << '\n', 1;
  auto listener = tsock::Listener::listen(loop, address, {}, err);
  if (err != 0) return std::cerr << tsock::error_text(err) << '\n', 1;
  std::cout << "listening on " << listener.local_address() << std::endl;
  tsock::for_each_accept(listener, [](tsock::Stream stream) { (new Session{std::move(stream)})->next(); });
  loop.run();
}
