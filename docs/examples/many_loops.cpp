// One loop for each core. Every thread has a Loop and a listener of its own on the same port; the kernel
// spreads the connections over them (SO_REUSEPORT), and nothing is shared: no lock, no message between the
// threads.
//
//   many_loops [LOOPS] [ADDRESS]
//
// The messages are four bytes of length, big-endian, and a body of at least 8 bytes; the reply is an 8-byte
// digest of the body, made the slow way, so that there is work to spread. Prints "listening on ADDRESS";
// SIGTERM or SIGINT end it.
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <list>
#include <memory>
#include <span>
#include <thread>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

namespace {

// FNV-1a, repeated 256 times.
std::uint64_t digest(std::span<const std::byte> bytes) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (int round = 0; round < 256; ++round) {
    for (const std::byte byte : bytes) hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3U;
  }
  return hash;
}

class Session {
 public:
  explicit Session(tsock::Stream stream) : stream_(std::move(stream)), replies_(stream_.loop(), "replies") {}

  // `on_end()` is the last thing that this object does.
  template <class F>
  void read_next(F on_end) {
    reading_ = stream_.readv_pdu(tsock::framing::u32be{.max_body = 1 << 20, .min_body = 8});
    reading_.set_callback([this, on_end](tsock::Request<tsock::Pdu>& request) {
      int err = 0;
      tsock::Pdu pdu = request.recv(err);
      if (err != 0) {  // waiting replies go out first; the loop takes care of it
        std::move(stream_).disconnect(std::move(replies_)).detach();
        return on_end();
      }
      // The reply overwrites the message.
      const std::span<std::byte> reply = pdu.bytes().first(12);
      std::uint64_t value = digest(pdu.body());
      for (std::size_t i = reply.size(); i-- > 4; value >>= 8U)
        reply[i] = static_cast<std::byte>(value & 0xffU);
      for (std::size_t i = 0; i < 4; ++i) reply[i] = i == 3 ? std::byte{8} : std::byte{0};
      const auto vector = tsock::make_vector(reply);
      stream_.writev(replies_, {&vector, 1}).detach([kept = std::move(pdu)](auto&) {});
      read_next(on_end);
    });
  }

 private:
  tsock::Stream stream_;
  tsock::Queue replies_;
  tsock::Request<tsock::Pdu> reading_;
};

// A thread, its loop, and everything that belongs to that loop.
class Worker {
 public:
  Worker(const tsock::Address& address, int& err)
      : listener_(tsock::Listener::listen(loop_, address, {.backlog = 1024, .reuse_port = true}, err)) {
    if (err != 0) return;
    tsock::for_each_accept(listener_, [this](tsock::Stream stream) {
      const auto session = sessions_.emplace(sessions_.end(), std::move(stream));
      session->read_next([this, session] { sessions_.erase(session); });
    });
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  // From here on the loop belongs to its thread; only post() may be called from another.
  void start() {
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~Worker() {
    if (!thread_.joinable()) return;
    loop_.post([this] { loop_.stop(); });
    thread_.join();
  }
  [[nodiscard]] tsock::Address address() const { return listener_.local_address(); }

 private:
  tsock::Loop loop_;
  tsock::Listener listener_;
  std::list<Session> sessions_;
  std::thread thread_;
};

}  // namespace

int main(int argc, char** argv) {
  unsigned long loops = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 0;
  if (loops == 0) loops = std::thread::hardware_concurrency();
  int err = 0;
  auto address = tsock::Address::parse(argc > 2 ? argv[2] : "127.0.0.1:7000", err);

  // Whoever reads the address may send a signal at once.
  tsock::Loop loop;
  const auto stop = [&loop](tsock::Request<int>&) { loop.stop(); };
  auto terminated = loop.signal(SIGTERM);
  auto interrupted = loop.signal(SIGINT);
  terminated.set_callback(stop);
  interrupted.set_callback(stop);

  std::vector<std::unique_ptr<Worker>> workers;
  while (err == 0 && workers.size() < loops) {
    workers.push_back(std::make_unique<Worker>(address, err));
    // With port 0 the first one gets a port, the others join it.
    if (err == 0) address = workers.back()->address();
  }
  if (err != 0) {
    std::cerr << "many_loops: " << address << ": " << tsock::error_text(err) << '\n';
    return 1;
  }
  std::cout << "listening on " << address << std::endl;
  for (const auto& worker : workers) worker->start();
  loop.run();
  return 0;
}
