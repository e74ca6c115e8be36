// A daemon that echoes every message. A message is four bytes of length, big-endian, and that
// many bytes of body.
//
//   pdu_echo [--announce] [--max-body BYTES] [ADDRESS...]
//
// ADDRESS is 127.0.0.1:7000 (the default), [::1]:7000, unix:/path or unix-abstract:name. --announce prints
// "listening ADDRESS" for each of them, with the port that was actually bound. SIGTERM or SIGINT end it at
// once.
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <iostream>
#include <string_view>
#include <tsock/coroutine.hpp>
#include <tsock/request_set.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

namespace {

struct Settings {
  bool announce = false;
  std::size_t max_body = std::size_t{16} << 20;
  std::vector<tsock::Address> addresses;
};

void complain(const tsock::Address& who, int err) {
  std::cerr << "pdu_echo: " << who << ": " << tsock::error_text(err) << '\n';
}

// One connection. A peer that sends and never reads is not read from either: each reply leaves first.
tsock::Task<> echo(tsock::Stream stream, std::size_t max_body) {
  int broken = 0;
  while (broken == 0) {
    auto reading = stream.readv_pdu(tsock::framing::u32be{.max_body = max_body});
    const auto [message, err] = co_await reading;
    if (err == 0) {
      broken = (co_await stream.writev(message.vector())).err;
      continue;
    }
    if (err != EPIPE || reading.transferred() != 0) complain(stream.remote_address(), err);
    break;
  }
  // The end of the peer's messages is not the end of ours, also for a peer that sends on behind a message
  // that is refused.
  co_await std::move(stream).disconnect();
}

int usage() {
  std::cerr << "usage: pdu_echo [--announce] [--max-body BYTES] [ADDRESS...]\n";
  return 1;
}

bool parse(const std::vector<std::string_view>& arguments, Settings& settings) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view text = arguments[i];
    if (text == "--announce") {
      settings.announce = true;
    } else if (text == "--max-body" && i + 1 < arguments.size()) {
      const std::string_view number = arguments[++i];
      const auto [end, error] =
          std::from_chars(number.data(), number.data() + number.size(), settings.max_body);
      if (error != std::errc() || end != number.data() + number.size()) return false;
    } else {
      int err = 0;
      settings.addresses.push_back(tsock::Address::parse(text, err));
      if (err != 0) {
        std::cerr << "pdu_echo: not an address: " << text << '\n';
        return false;
      }
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  if (!parse({argv + 1, argv + argc}, settings)) return usage();
  int err = 0;
  if (settings.addresses.empty()) {
    settings.addresses.push_back(tsock::Address::inet_from_strings("ip", "127.0.0.1", 7000, err));
  }

  tsock::Loop loop;
  tsock::RequestSet requests;
  // Whoever reads an address may send a signal at once.
  for (const int signum : {SIGTERM, SIGINT}) requests.add(loop.signal(signum), [&](auto&) { loop.stop(); });
  std::vector<tsock::Listener> listeners;
  for (const tsock::Address& address : settings.addresses) {
    auto listener = tsock::Listener::listen(loop, address, {}, err);
    if (err != 0) {
      complain(address, err);
      return 1;
    }
    if (settings.announce) std::cout << "listening " << listener.local_address() << std::endl;
    tsock::for_each_accept(listener, [&](tsock::Stream stream) {
      requests.add(tsock::start(loop, echo(std::move(stream), settings.max_body)));
    });
    listeners.push_back(std::move(listener));
  }
  loop.run();
  return 0;
}
