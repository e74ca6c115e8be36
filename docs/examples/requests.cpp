// A request and its three ends: it completes, it is cancelled, it is destroyed; and the deadline.
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

using namespace std::chrono_literals;

void completes(tsock::Loop& loop) {
  auto request = loop.sleep(10ms);
  request.set_callback([](tsock::Request<void>& done) {
    int err = 0;
    done.recv(err);
    std::printf("completed: %s\n", tsock::error_text(err).c_str());
  });
  loop.run();
}

void cancelled(tsock::Loop& loop) {
  auto request = loop.sleep(1h);
  request.set_callback([](tsock::Request<void>& done) {
    int err = 0;
    done.recv(err);
    std::printf("cancelled: %s\n", tsock::error_name(err).data());
  });
  request.cancel();
  loop.run();
}

void destroyed(tsock::Loop& loop) {
  {
    auto request = loop.sleep(1h);
    request.set_callback([](tsock::Request<void>&) { std::puts("never printed"); });
  }
  loop.run();
  std::puts("destroyed: nothing");
}

void deadline(tsock::Loop& loop) {
  int err = 0;
  auto [ours, theirs] = tsock::Stream::socketpair(loop, err);
  if (err != 0) return;
  std::array<std::byte, 16> buffer{};
  auto request = ours.read(buffer);
  request.set_timeout(20ms);
  request.set_callback([](auto& done) {
    int read_err = 0;
    done.recv(read_err);
    std::printf("deadline: %s\n", tsock::error_name(read_err).data());
  });
  loop.run();
}

void kept_by_the_loop(tsock::Loop& loop) {
  loop.sleep(10ms).detach([](auto&) { std::puts("detached: done"); });
  loop.run();
}

void waited_for(tsock::Loop& loop) {
  auto request = loop.sleep(10ms);
  int err = 0;
  if (request.wait(err)) request.recv(err);
  std::printf("waited for: %s\n", tsock::error_name(err).data());
}

}  // namespace

int main() {
  tsock::Loop loop;
  completes(loop);
  cancelled(loop);
  destroyed(loop);
  deadline(loop);
  kept_by_the_loop(loop);
  waited_for(loop);
  return 0;
}
