// A cancelled read loses no byte: the next read gets what it had taken.
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string_view>
#include <tsock/tsock.hpp>

namespace {

void print(const char* what, int err, std::size_t transferred, std::string_view text) {
  std::printf("%s: %s, %zu bytes, '%.*s'\n", what, tsock::error_name(err).data(), transferred,
              static_cast<int>(text.size()), text.data());
}

}  // namespace

int main() {
  tsock::Loop loop;
  auto [client, server] = tsock::memory_stream_pair(loop);
  int err = 0;

  std::array<std::byte, 10> ten{};
  auto reading = server.read(ten);
  auto writing = client.write("hello");
  loop.run_until_idle();
  reading.cancel();
  loop.run_until_idle();
  reading.recv(err);
  print("the cancelled read", err, reading.transferred(), "");

  std::array<char, 5> five{};
  reading = server.read(std::as_writable_bytes(std::span(five)));
  loop.run_until_idle();
  reading.recv(err);
  print("the read after it", err, reading.transferred(), {five.data(), five.size()});
  return err;
}
