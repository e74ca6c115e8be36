// Introspection: the requests in progress, every step of every request, the counters, the log.
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <iostream>
#include <tsock/tsock.hpp>

int main() {
  tsock::Loop loop;
  loop.set_logger(nullptr);  // silent; otherwise spdlog's default logger gets the warnings

  loop.set_trace([](const tsock::TraceEvent& event) {
    std::printf("%s #%llu %s %s\n", tsock::trace_kind_name(event.kind).data(),
                static_cast<unsigned long long>(event.id), event.name, tsock::error_name(event.error).data());
  });

  auto [here, there] = tsock::memory_stream_pair(loop);
  std::array<std::byte, 8> buffer{};
  auto reading = here.read(buffer);
  reading.set_timeout(std::chrono::hours(1));
  auto writing = there.write("half");
  loop.run_until_idle();

  std::cout << std::flush;
  std::fflush(stdout);
  loop.dump(std::cout);
  std::cout << std::flush;

  reading.set_timeout(std::chrono::milliseconds(20));  // instead of the hour
  loop.run();
  std::printf("%llu completions\n", static_cast<unsigned long long>(loop.metrics().completions));
  return 0;
}
