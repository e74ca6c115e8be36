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
#include <functional>
#include <iostream>
#include <list>
#include <string_view>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

namespace {

struct Settings {
  bool announce = false;
  std::size_t max_body = std::size_t{16} << 20;
  std::vector<tsock::Address> addresses;
};

// One connection. May be destroyed at any time, with its requests, its queue and its stream.
class Session {
 public:
  Session(tsock::Stream stream, std::size_t max_body)
      : max_body_(max_body), stream_(std::move(stream)), replies_(stream_.loop(), "replies") {}

  // `on_end()` is called once, as the last thing that this object does.
  template <class F>
  void start(F on_end) {
    on_end_ = std::move(on_end);
    // A peer that sends and never reads must not fill our memory: above the high mark we stop reading.
    stream_.set_watermarks({}, [this](tsock::Watermark mark) {
      full_ = mark == tsock::Watermark::high;
      if (!full_ && !reading_.is_in_progress() && !ending_) read_next();
    });
    read_next();
  }

 private:
  void read_next() {
    reading_ = stream_.readv_pdu(tsock::framing::u32be{.max_body = max_body_});
    reading_.set_callback([this](tsock::Request<tsock::Pdu>& request) {
      int err = 0;
      tsock::Pdu pdu = request.recv(err);
      if (err != 0) return end(err, request.transferred());
      const auto message = pdu.vector();  // the bytes do not move; the reply owns them until it has left
      stream_.writev(replies_, message).detach([kept = std::move(pdu)](auto&) {});
      if (!full_) read_next();
    });
  }

  // The end of the peer's messages is not the end of ours: what is queued goes out first, also to a peer that
  // sends on behind a message that is refused.
  void end(int err, std::size_t bytes_of_cut_message) {
    if (err != EPIPE || bytes_of_cut_message != 0) {
      std::cerr << "pdu_echo: " << stream_.remote_address() << ": " << tsock::error_text(err) << '\n';
    }
    ending_ = true;
    disconnecting_ = std::move(stream_).disconnect(std::move(replies_));
    disconnecting_.set_callback([this](tsock::Request<void>&) {
      const auto on_end = std::move(on_end_);
      on_end();
    });
  }

  std::size_t max_body_;
  tsock::Stream stream_;
  tsock::Queue replies_;
  tsock::Request<tsock::Pdu> reading_;
  tsock::Request<void> disconnecting_;
  bool full_ = false;
  bool ending_ = false;
  std::function<void()> on_end_;
};

class Server {
 public:
  Server(tsock::Loop& loop, const Settings& settings) : loop_(loop), settings_(settings) {}

  // Errors: what tsock::Listener::listen() gives.
  int listen(const tsock::Address& address) {
    int err = 0;
    auto listener = tsock::Listener::listen(loop_, address, {}, err);
    if (err != 0) return err;
    if (settings_.announce) std::cout << "listening " << listener.local_address() << std::endl;
    tsock::for_each_accept(listener, [this](tsock::Stream stream) { add(std::move(stream)); });
    listeners_.push_back(std::move(listener));
    return 0;
  }

 private:
  void add(tsock::Stream stream) {
    const auto session = sessions_.emplace(sessions_.end(), std::move(stream), settings_.max_body);
    session->start([this, session] { sessions_.erase(session); });
  }

  tsock::Loop& loop_;
  const Settings& settings_;
  std::list<tsock::Listener> listeners_;
  std::list<Session> sessions_;
};

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
  Server server(loop, settings);
  for (const tsock::Address& address : settings.addresses) {
    err = server.listen(address);
    if (err != 0) {
      std::cerr << "pdu_echo: " << address << ": " << tsock::error_text(err) << '\n';
      return 1;
    }
  }

  const auto stop = [&loop](tsock::Request<int>&) { loop.stop(); };
  auto terminated = loop.signal(SIGTERM);
  auto interrupted = loop.signal(SIGINT);
  terminated.set_callback(stop);
  interrupted.set_callback(stop);
  loop.run();
  return 0;
}
