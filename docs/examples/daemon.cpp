// A daemon: a table of keys and values with a line protocol ("set key value", "get key", "quit").
//   daemon [address] [idle seconds]      daemon 127.0.0.1:7000 300      daemon unix:/run/table
// SIGTERM and SIGINT end it in order: answers under way go out first; a second signal ends it at once.
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tsock/request_set.hpp>
#include <tsock/session_server.hpp>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

struct Config {
  tsock::Address address;
  std::chrono::seconds idle{300};
  std::chrono::seconds grace{30};  // for the last replies of an ending session, and for a slow client
  std::size_t max_line = 4096;
};

class Server;

class Session {
 public:
  Session(Server& server, tsock::Stream stream) : server_(server), stream_(std::move(stream)) {}
  void start();
  // Reads no further line; replies under way go out, then the session is destroyed.
  void finish();

 private:
  void read_line();
  void on_line(tsock::Request<tsock::Pdu>& request);
  [[nodiscard]] std::string answer(std::string_view line);
  void reply(std::string text);

  Server& server_;
  tsock::Stream stream_;
  tsock::Queue replies_{stream_.loop(), "replies"};
  tsock::Request<tsock::Pdu> reading_;
  tsock::Request<void> disconnecting_;
  bool paused_ = false;
  bool finishing_ = false;
};

class Server {
 public:
  Server(tsock::Loop& loop, Config config) : loop_(loop), config_(std::move(config)), sessions_(loop) {}

  int listen() {
    int err = 0;
    auto listener = tsock::Listener::listen(loop_, config_.address, {}, err);
    if (err != 0) return err;
    listener.set_pause_callback([](int reason) {
      std::fprintf(stderr, "accepting pauses: %s\n", tsock::error_text(reason).c_str());
    });
    for (const int signum : {SIGTERM, SIGINT}) wait_for(signum);
    std::printf("listening on %s\n", listener.local_address().to_string().c_str());
    std::fflush(stdout);
    sessions_.accept_from(
        std::move(listener),
        [this](tsock::Stream stream) { return std::make_unique<Session>(*this, std::move(stream)); },
        [this](int reason) {
          std::fprintf(stderr, "accepting ended: %s\n", tsock::error_text(reason).c_str());
          shut_down();
        });
    return 0;
  }

  void remove(const Session& session) { sessions_.remove(session); }

  [[nodiscard]] const Config& config() const { return config_; }
  std::map<std::string, std::string, std::less<>> table;

 private:
  void wait_for(int signum) {
    signals_.add(loop_.signal(signum), [this, signum](auto&) {
      if (ending_) return sessions_.abort();
      wait_for(signum);
      shut_down();
    });
  }

  void shut_down() {
    if (ending_) return;
    ending_ = sessions_.end(2 * config_.grace);
    // Without requests in progress Loop::run() returns.
    ending_.set_callback([this](auto&) { signals_.clear(); });
  }

  tsock::Loop& loop_;
  Config config_;
  tsock::SessionServer<Session> sessions_;
  tsock::RequestSet signals_;
  tsock::Request<std::size_t> ending_;
};

void Session::start() {
  // A client that sends and does not read: stop reading from it until it does.
  constexpr std::size_t kib = 1024;
  const tsock::WriteWatermarks marks{.high = 256 * kib, .low = 64 * kib};
  stream_.set_watermarks(marks, [this](tsock::Watermark mark) {
    paused_ = mark == tsock::Watermark::high;
    if (!paused_ && !reading_.is_in_progress() && !finishing_) read_line();
  });
  read_line();
}

void Session::read_line() {
  reading_ = stream_.readv_pdu(tsock::framing::line{.max_body = server_.config().max_line});
  reading_.set_timeout(server_.config().idle);
  reading_.set_callback([this](auto& request) { on_line(request); });
}

void Session::on_line(tsock::Request<tsock::Pdu>& request) {
  int err = 0;
  const tsock::Pdu line = request.recv(err);
  if (err == ETIMEDOUT || err == EMSGSIZE) reply("error " + tsock::error_text(err) + "\n");
  if (err != 0) return finish();  // EPIPE: the client has ended its side, but may still read
  if (line.text() == "quit") return finish();
  reply(answer(line.text()) + "\n");
  if (!paused_) read_line();
}

std::string Session::answer(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::string_view word = line.substr(0, first);
  const std::string_view rest = first == std::string_view::npos ? "" : line.substr(first + 1);
  if (word == "get" && !rest.empty()) {
    const auto found = server_.table.find(rest);
    return found == server_.table.end() ? "none" : "value " + found->second;
  }
  if (const std::size_t second = rest.find(' '); word == "set" && second != std::string_view::npos) {
    server_.table.insert_or_assign(std::string(rest.substr(0, second)), std::string(rest.substr(second + 1)));
    return "ok";
  }
  return "error unknown command";
}

void Session::reply(std::string text) { stream_.write(replies_, std::move(text)).detach(); }

void Session::finish() {
  if (std::exchange(finishing_, true)) return;
  reading_ = {};
  // Reads and drops what the client still sends: closing a socket with unread bytes resets the connection.
  const tsock::DisconnectOptions options{.linger_time = server_.config().grace};
  disconnecting_ = std::move(stream_).disconnect(std::move(replies_), options);
  disconnecting_.set_callback([this](auto&) { server_.remove(*this); });
}

bool parse(int argc, char** argv, Config& config) {
  int err = 0;
  config.address = tsock::Address::parse(argc > 1 ? argv[1] : "127.0.0.1:7000", err);
  if (err != 0 || argc > 3) return false;
  if (argc < 3) return true;
  const std::string_view text = argv[2];
  long seconds = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  config.idle = std::chrono::seconds(seconds);
  return wrong == std::errc() && end == text.data() + text.size() && seconds > 0;
}

}  // namespace

int main(int argc, char** argv) {
  Config config;
  if (!parse(argc, argv, config)) {
    std::fprintf(stderr, "usage: daemon [address] [idle seconds]\n");
    return 2;
  }
  tsock::Loop loop;
  Server server(loop, std::move(config));
  if (const int err = server.listen(); err != 0) {
    std::fprintf(stderr, "listen: %s\n", tsock::error_text(err).c_str());
    return 1;
  }
  loop.run();
  std::puts("stopped");
  return 0;
}
