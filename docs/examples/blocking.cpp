// A call that may block for long, a file system that may be a dead server's, beside a loop that goes on:
// blocking [path]
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <tsock/tsock.hpp>

int main(int argc, char** argv) {
  const std::string path = argc > 1 ? argv[1] : ".";
  tsock::Loop loop;
  bool has_space = false;

  auto space = tsock::run_on_worker(loop, [path](int& err) {
    std::error_code error;
    const std::uintmax_t free = std::filesystem::space(path, error).available;
    err = error.value();
    return free;
  });
  space.set_timeout(std::chrono::seconds(5));
  space.set_callback([&](auto& request) {
    int err = 0;
    has_space = request.recv(err) > 0 && err == 0;
    std::printf("%s: %s\n", path.c_str(), err == 0 ? "answers" : tsock::error_name(err).data());
  });
  loop.run();
  return has_space ? 0 : 1;
}
