// A server of lines for a service manager: takes the sockets of socket activation, tells when it is ready and
// that it is alive, and ends in order. Without a manager it listens by itself.
//   activated [address]
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <tsock/coroutine.hpp>
#include <tsock/interval.hpp>
#include <tsock/request_set.hpp>
#include <tsock/service_manager.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

namespace {

// Half of WATCHDOG_USEC, or an hour without it.
std::chrono::microseconds watchdog_period() {
  const char* const text = std::getenv("WATCHDOG_USEC");
  const long long microseconds = text != nullptr ? std::atoll(text) : 0;
  return microseconds > 1 ? std::chrono::microseconds(microseconds / 2) : std::chrono::hours(1);
}

tsock::Task<> echo(tsock::Stream stream) {
  for (;;) {
    const auto [line, end] = co_await stream.readv_pdu(tsock::framing::line{.max_body = 4096});
    if (end != 0) break;
    const auto [size, broken] = co_await stream.writev(line.vector());
    if (broken != 0) break;
  }
  std::move(stream).disconnect().detach();
}

class Server {
 public:
  explicit Server(tsock::Loop& loop) : loop_(loop), ticks_(loop, watchdog_period()) {
    for (const int signum : {SIGTERM, SIGINT}) requests_.add(loop.signal(signum), [this](auto&) { end(); });
    tell_next();
  }

  // The sockets of the service manager, or one of our own where there are none.
  int listen(const char* text) {
    int err = 0;
    for (tsock::ActivatedSocket& activated : tsock::take_activated_sockets(err)) {
      if (err == 0) accept_from(tsock::Listener::adopt(loop_, activated.socket, {}, err));
    }
    if (err != 0 || !listeners_.empty()) return err;
    const auto address = tsock::Address::parse(text, err);
    if (err == 0) accept_from(tsock::Listener::listen(loop_, address, {}, err));
    return err;
  }

 private:
  void accept_from(tsock::Listener listener) {
    if (!listener) return;
    std::printf("listening on %s\n", listener.local_address().to_string().c_str());
    std::fflush(stdout);
    tsock::for_each_accept(listener, [this](tsock::Stream stream) {
      sessions_.add(tsock::start(loop_, echo(std::move(stream))));
    });
    listeners_.push_back(std::move(listener));
  }

  // Tells the manager that the loop turns (WatchdogSec=), at half of the time that it allows.
  void tell_next() {
    requests_.add(ticks_.next(), [this](auto&) {
      tsock::notify_service_manager("WATCHDOG=1");
      tell_next();
    });
  }

  void end() {
    tsock::notify_service_manager("STOPPING=1");
    listeners_.clear();
    sessions_.cancel();
    requests_.clear();
  }

  tsock::Loop& loop_;
  tsock::Interval ticks_;
  std::vector<tsock::Listener> listeners_;
  tsock::RequestSet sessions_;
  tsock::RequestSet requests_;
};

}  // namespace

int main(int argc, char** argv) {
  tsock::Loop loop;
  Server server(loop);
  if (const int err = server.listen(argc > 1 ? argv[1] : "127.0.0.1:7000"); err != 0) {
    std::fprintf(stderr, "%s\n", tsock::error_text(err).c_str());
    return 1;
  }
  tsock::notify_service_manager("READY=1");
  loop.run();
  return 0;
}
