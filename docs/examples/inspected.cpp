// An echo server that can be looked into while it runs: through a socket, and by a trace that SIGUSR1 begins
// and ends. Try: inspected 127.0.0.1:7000 /tmp/inspect trace.json & tsock-cat --inspect unix:/tmp/inspect
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

/// Echoes what a client sends, and destroys itself at the end.
class Session {
 public:
  explicit Session(tsock::Stream stream) : stream_(std::move(stream)), echo_(tsock::pump(stream_, stream_)) {
    echo_.set_callback([this](auto&) { delete this; });
  }

 private:
  tsock::Stream stream_;
  tsock::Request<tsock::PumpResult> echo_;
};

/// Begins a trace at one SIGUSR1 and ends it at the next.
class TraceSwitch {
 public:
  TraceSwitch(tsock::Loop& loop, const char* path) : loop_(loop), path_(path) { wait(); }

 private:
  void wait() {
    signal_ = loop_.signal(SIGUSR1);
    signal_.set_callback([this](auto&) {
      if (trace_.is_on()) {
        trace_.stop().detach();
      } else {
        int err = 0;
        tsock::Stream file = tsock::open_file(loop_, path_, tsock::FileMode::write, err);
        if (err == 0) trace_ = tsock::TraceWriter(std::move(file), {.process_name = "inspected"});
      }
      wait();
    });
  }

  tsock::Loop& loop_;
  const char* path_;
  tsock::Request<int> signal_;
  tsock::TraceWriter trace_;
};

int fail(const char* what, int err) {
  std::fprintf(stderr, "%s: %s\n", what, tsock::error_text(err).c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return fail("inspected ADDRESS INSPECT-PATH TRACE-FILE", EINVAL);
  tsock::Loop loop;
  int err = 0;
  const auto address = tsock::Address::parse(argv[1], err);
  auto listener = tsock::Listener::listen(loop, address, {}, err);
  if (err != 0) return fail(argv[1], err);

  const auto path = tsock::Address::unix_from_path(argv[2], err);
  const tsock::Inspection inspection = tsock::inspect(loop, path, {}, err);
  if (err != 0) return fail(argv[2], err);
  loop.start_callback_timing();

  const TraceSwitch trace_switch(loop, argv[3]);
  std::printf("listening on %s\n", listener.local_address().to_string().c_str());
  std::fflush(stdout);
  tsock::for_each_accept(listener, [](tsock::Stream stream) { new Session(std::move(stream)); });
  loop.run();
  return 0;
}
