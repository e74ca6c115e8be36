// How many instructions tsock spends on an operation, to be counted by callgrind: one thread plays both sides
// over unix sockets, which pass bytes on within the system call, so that two runs do exactly the same. Only
// what runs inside of bench_turn() is counted, so that peers and handshakes are not.
//
//   instructions SCENARIO TURNS      prints the operations that it did

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <memory>
#include <string_view>
#include <tsock/coroutine.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "bench/load_wire.hpp"
#ifdef TSOCK_WITH_NPA
#include <tsock/npa/npa.hpp>
#endif
#ifdef TSOCK_WITH_TLS
#include "bench/tsock_tls_context.hpp"
#endif

extern "C" {
// The tool finds it by its name.
__attribute__((noinline)) void bench_turn(tsock::Loop& loop) { loop.run_until_idle(); }
__attribute__((noinline)) void bench_turn_deadlines(tsock::Request<tsock::ssize_t>& request) {
  for (int i = 0; i < 100; ++i) {
    request.set_timeout(std::chrono::seconds(5));
    request.clear_deadline();
  }
}
}

namespace {

using bench::die;
using bench::Wire;

/// A callback owns the message that is written back, or the write itself does.
template <bool write_owns>
class EchoSessionOf {
 public:
  explicit EchoSessionOf(tsock::Stream stream) : stream_(std::move(stream)) {}

  void start() {
    reading_ = stream_.readv_pdu(tsock::framing::u32be{.max_body = 1 << 20});
    reading_.set_callback([this](tsock::Request<tsock::Pdu>& request) {
      int err = 0;
      tsock::Pdu pdu = request.recv(err);
      if (err != 0) {
        stream_ = {};
        return;
      }
      if constexpr (write_owns) {
        stream_.write(out_, std::move(pdu)).detach();
      } else {
        auto reply = pdu.vector();
        stream_.writev(out_, reply).detach([pdu = std::move(pdu)](auto&) {});
      }
      start();
    });
  }
  [[nodiscard]] bool is_over() const { return !stream_; }

 private:
  tsock::Stream stream_;
  tsock::Queue out_{stream_.loop(), "replies"};
  tsock::Request<tsock::Pdu> reading_;
};
using EchoSession = EchoSessionOf<false>;
using OwnedEchoSession = EchoSessionOf<true>;

/// EchoSession as a coroutine.
class CoroutineSession {
 public:
  explicit CoroutineSession(tsock::Stream stream) : loop_(stream.loop()), stream_(std::move(stream)) {}

  void start() { serving_ = tsock::start(loop_, serve()); }
  [[nodiscard]] bool is_over() const { return !serving_.is_in_progress(); }

 private:
  tsock::Task<> serve() {
    for (;;) {
      auto [pdu, err] = co_await stream_.readv_pdu(tsock::framing::u32be{.max_body = 1 << 20});
      if (err != 0) break;
      auto reply = pdu.vector();
      stream_.writev(out_, reply).detach([pdu = std::move(pdu)](auto&) {});
    }
    stream_ = {};
  }

  tsock::Loop& loop_;
  tsock::Stream stream_;
  tsock::Queue out_{loop_, "replies"};
  tsock::Request<void> serving_;
};

#ifdef TSOCK_WITH_NPA
/// EchoSession for streams that keep the borders of messages.
class MessageSession {
 public:
  explicit MessageSession(tsock::Stream stream) : stream_(std::move(stream)) {}

  void start() {
    reading_ = stream_.read_message();
    reading_.set_callback([this](tsock::Request<tsock::Pdu>& request) {
      int err = 0;
      tsock::Pdu message = request.recv(err);
      if (err != 0) return;
      auto reply = message.vector();
      stream_.writev(out_, reply).detach([message = std::move(message)](auto&) {});
      start();
    });
  }

 private:
  tsock::Stream stream_;
  tsock::Queue out_{stream_.loop(), "replies"};
  tsock::Request<tsock::Pdu> reading_;
};
#endif

/// Reads of an exact size, each answered from the same buffer.
class ReadSession {
 public:
  explicit ReadSession(tsock::Stream stream) : stream_(std::move(stream)) {}

  void start() {
    moving_ = stream_.read(bytes_);
    moving_.set_callback([this](tsock::Request<tsock::ssize_t>& request) {
      int err = 0;
      if (request.recv(err) < 0) return;
      moving_ = stream_.write(bytes_);
      moving_.set_callback([this](tsock::Request<tsock::ssize_t>&) { start(); });
    });
  }

 private:
  tsock::Stream stream_;
  std::array<std::byte, 64> bytes_{};
  tsock::Request<tsock::ssize_t> moving_;
};

class DatagramSession {
 public:
  explicit DatagramSession(tsock::Datagram socket) : socket_(std::move(socket)) {}

  void start() {
    receiving_ = socket_.recvfrom(bytes_);
    receiving_.set_callback([this](tsock::Request<tsock::ReceivedInto>& request) {
      int err = 0;
      const tsock::ReceivedInto received = request.recv(err);
      if (err != 0) return;
      sending_ = socket_.sendto(std::span<const std::byte>(bytes_.data(), received.size));
      sending_.set_callback([this](tsock::Request<tsock::ssize_t>&) { start(); });
    });
  }

 private:
  tsock::Datagram socket_;
  std::array<std::byte, 2048> bytes_{};
  tsock::Request<tsock::ReceivedInto> receiving_;
  tsock::Request<tsock::ssize_t> sending_;
};

/// As the server of tools/bench: what one event brings is answered through a queue.
class QueuedDatagramSession {
 public:
  explicit QueuedDatagramSession(tsock::Datagram socket) : socket_(std::move(socket)) {}

  void start() {
    receiving_ = socket_.recvfrom();
    receiving_.set_callback([this](tsock::Request<tsock::ReceivedDatagram>& request) {
      int err = 0;
      tsock::ReceivedDatagram datagram = request.recv(err);
      if (err == 0) {
        const std::span<const std::byte> bytes = datagram.bytes();
        const tsock::Address& source = datagram.source();
        socket_.sendto(out_, bytes, source).detach([datagram = std::move(datagram)](auto&) {});
      }
      start();
    });
  }

 private:
  tsock::Datagram socket_;
  tsock::Queue out_{socket_.loop(), "replies"};
  tsock::Request<tsock::ReceivedDatagram> receiving_;
};

std::pair<tsock::UniqueSocket, int> socketpair(int type) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) != 0) die("socketpair");
  const int room = 1 << 20;
  ::setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
  ::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
  return {tsock::UniqueSocket(ends[0]), ends[1]};
}

/// What `in_flight` messages of a scenario look like in the stream.
std::vector<unsigned char> messages(std::size_t in_flight, std::size_t body) {
  std::vector<unsigned char> bytes;
  for (std::size_t i = 0; i < in_flight; ++i) {
    for (unsigned b = 0; b < 4; ++b) bytes.push_back(static_cast<unsigned char>(body >> (24U - 8U * b)));
    bytes.insert(bytes.end(), body, static_cast<unsigned char>('x'));
  }
  return bytes;
}

void exchange(tsock::Loop& loop, std::vector<Wire>& peers, const std::vector<unsigned char>& bytes) {
  static std::vector<unsigned char> replies(1 << 20);
  for (Wire& peer : peers) {
    if (peer.send(bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) die("send");
  }
  bench_turn(loop);
  for (Wire& peer : peers) {
    std::size_t got = 0;
    while (got != bytes.size()) {
      const ssize_t count = peer.recv(replies.data(), replies.size());
      if (count <= 0) die("a reply is missing");
      got += static_cast<std::size_t>(count);
    }
  }
}

template <class Session>
std::size_t streams(std::size_t turns, std::size_t connections, std::size_t in_flight,
                    const std::vector<unsigned char>& bytes) {
  tsock::Loop loop;
  std::list<Session> sessions;
  std::vector<Wire> peers;
  for (std::size_t i = 0; i < connections; ++i) {
    auto [fd, peer] = socketpair(SOCK_STREAM);
    peers.emplace_back(peer, false);
    int err = 0;
    sessions.emplace_back(tsock::Stream::adopt(loop, fd, {}, err)).start();
    if (err != 0) die("adopt");
  }
  for (std::size_t i = 0; i < turns; ++i) exchange(loop, peers, bytes);
  return turns * connections * in_flight;
}

#ifdef TSOCK_WITH_TLS
std::size_t tls_streams(std::size_t turns, std::size_t connections, std::size_t in_flight,
                        const std::vector<unsigned char>& bytes) {
  tsock::Loop loop;
  const tsock::tls::Context context = bench::make_tsock_tls_context();
  std::list<EchoSession> sessions;
  std::vector<Wire> peers;
  for (std::size_t i = 0; i < connections; ++i) {
    auto [fd, peer] = socketpair(SOCK_STREAM);
    peers.emplace_back(peer, true);
    int err = 0;
    auto accepting = tsock::tls::accept(tsock::Stream::adopt(loop, fd, {}, err), context);
    if (err != 0) die("adopt");
    while (!peers.back().handshake()) loop.run_until_idle();
    loop.run_until_idle();
    sessions.emplace_back(accepting.recv(err)).start();
    if (err != 0) die("accept");
  }
  for (std::size_t i = 0; i < turns; ++i) exchange(loop, peers, bytes);
  return turns * connections * in_flight;
}
#endif

#ifdef TSOCK_WITH_NPA
/// What `in_flight` messages of NPA look like in the stream.
std::vector<unsigned char> npa_messages(std::size_t in_flight, std::size_t body) {
  std::vector<unsigned char> bytes;
  for (std::size_t i = 0; i < in_flight; ++i) {
    bytes.push_back(static_cast<unsigned char>(body & 0xffU));
    bytes.push_back(static_cast<unsigned char>(body >> 8U));
    bytes.insert(bytes.end(), body, static_cast<unsigned char>('x'));
  }
  return bytes;
}

std::size_t npa_streams(std::size_t turns, std::size_t connections, std::size_t in_flight,
                        const std::vector<unsigned char>& bytes) {
  tsock::Loop loop;
  std::list<MessageSession> sessions;
  std::vector<Wire> peers;
  for (std::size_t i = 0; i < connections; ++i) {
    auto [fd, peer] = socketpair(SOCK_STREAM);
    peers.emplace_back(peer, false);
    int err = 0;
    auto accepting = tsock::npa::accept(tsock::Stream::adopt(loop, fd, {}, err));
    if (err != 0) die("adopt");
    bench::send_npa_request(peer);
    loop.run_until_idle();
    bench::read_npa_reply(peer);
    sessions.emplace_back(accepting.recv(err)).start();
    if (err != 0) die("accept");
  }
  for (std::size_t i = 0; i < turns; ++i) exchange(loop, peers, bytes);
  return turns * connections * in_flight;
}
#endif

std::size_t datagrams(std::size_t turns) {
  tsock::Loop loop;
  auto [fd, peer] = socketpair(SOCK_DGRAM);
  int err = 0;
  DatagramSession session(tsock::Datagram::adopt(loop, fd, {}, err));
  session.start();
  constexpr std::size_t in_flight = 8;
  const std::array<unsigned char, 64> bytes{};
  std::array<unsigned char, 64> reply{};
  for (std::size_t i = 0; i < turns; ++i) {
    for (std::size_t j = 0; j < in_flight; ++j) {
      if (::send(peer, bytes.data(), bytes.size(), MSG_DONTWAIT) < 0) die("send");
    }
    bench_turn(loop);
    for (std::size_t j = 0; j < in_flight; ++j) {
      if (::recv(peer, reply.data(), reply.size(), MSG_DONTWAIT) != 64) die("a reply is missing");
    }
  }
  return turns * in_flight;
}

// On loopback a datagram is there when send(2) returns, as a rule; a turn more does no harm.
std::size_t udp_datagrams(std::size_t turns) {
  tsock::Loop loop;
  int err = 0;
  const auto any = tsock::Address::inet_from_strings("ipv4", "127.0.0.1", 0, err);
  auto socket = tsock::Datagram::udp(loop, any, {}, {}, err);
  if (err != 0) die("udp");
  const tsock::Address local = socket.local_address();
  QueuedDatagramSession session(std::move(socket));
  session.start();
  const int peer = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (::connect(peer, local.sockaddr_pointer(), static_cast<socklen_t>(local.sockaddr_length())) != 0)
    die("connect");
  constexpr std::size_t in_flight = 32;
  const std::array<unsigned char, 64> bytes{};
  std::array<unsigned char, 64> reply{};
  for (std::size_t i = 0; i < turns; ++i) {
    for (std::size_t j = 0; j < in_flight; ++j) {
      if (::send(peer, bytes.data(), bytes.size(), MSG_DONTWAIT) < 0) die("send");
    }
    for (std::size_t j = 0; j < in_flight;) {
      bench_turn(loop);
      while (::recv(peer, reply.data(), reply.size(), MSG_DONTWAIT) == 64) ++j;
    }
  }
  return turns * in_flight;
}

// Accept, one message, the peer's end, close.
std::size_t connections(std::size_t turns) {
  tsock::Loop loop;
  int err = 0;
  const std::string name = "tsock-instructions-" + std::to_string(::getpid());
  auto listener =
      tsock::Listener::unix_stream(loop, tsock::Address::parse("unix-abstract:" + name, err), {}, err);
  if (err != 0) die("listen");
  std::list<EchoSession> sessions;
  tsock::for_each_accept(listener,
                         [&](tsock::Stream stream) { sessions.emplace_back(std::move(stream)).start(); });
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const auto bytes = messages(1, 64);
  for (std::size_t i = 0; i < turns; ++i) {
    const int peer = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(peer, reinterpret_cast<const sockaddr*>(&address), size) != 0) die("connect");
    std::vector<Wire> peers;
    peers.emplace_back(peer, false);
    exchange(loop, peers, bytes);
    ::close(peer);
    bench_turn(loop);
    if (!sessions.front().is_over()) die("the session did not see the end");
    sessions.pop_front();
  }
  return turns;
}

std::size_t deadlines(std::size_t turns) {
  tsock::Loop loop;
  std::vector<tsock::Request<void>> waiting;
  for (int i = 0; i < 1000; ++i) {
    waiting.push_back(loop.sleep(std::chrono::hours(1)));
    waiting.back().set_timeout(std::chrono::seconds(60));
  }
  int err = 0;
  auto [near, far] = tsock::Stream::socketpair(loop, err);
  std::array<std::byte, 64> bytes{};
  auto read = near.read(bytes);
  for (std::size_t i = 0; i < turns; ++i) bench_turn_deadlines(read);
  return turns * 100;
}

std::size_t posts(std::size_t turns) {
  tsock::Loop loop;
  auto waiting = loop.sleep(std::chrono::hours(1));
  std::size_t ran = 0;
  for (std::size_t i = 0; i < turns; ++i) {
    for (int j = 0; j < 64; ++j) loop.post([&ran] { ++ran; });
    bench_turn(loop);
  }
  return ran;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: instructions SCENARIO TURNS\n");
    return 2;
  }
  const std::string_view scenario = argv[1];
  const std::size_t turns = std::strtoul(argv[2], nullptr, 10);
  std::size_t operations = 0;
  if (scenario == "echo-1x1") operations = streams<EchoSession>(turns, 1, 1, messages(1, 64));
  if (scenario == "echo-64x1") operations = streams<EchoSession>(turns, 64, 1, messages(1, 64));
  if (scenario == "echo-64x32") operations = streams<EchoSession>(turns, 64, 32, messages(32, 64));
  if (scenario == "echo-owned-64x32") operations = streams<OwnedEchoSession>(turns, 64, 32, messages(32, 64));
  if (scenario == "echo-coroutine-1x1") operations = streams<CoroutineSession>(turns, 1, 1, messages(1, 64));
  if (scenario == "echo-coroutine-64x1")
    operations = streams<CoroutineSession>(turns, 64, 1, messages(1, 64));
  if (scenario == "echo-16k") operations = streams<EchoSession>(turns, 16, 4, messages(4, 16384));
  if (scenario == "read-write") operations = streams<ReadSession>(turns, 16, 1, messages(1, 60));
  if (scenario == "connect") operations = connections(turns);
  if (scenario == "datagram") operations = datagrams(turns);
  if (scenario == "udp-1x32") operations = udp_datagrams(turns);
  if (scenario == "deadline") operations = deadlines(turns);
  if (scenario == "post") operations = posts(turns);
#ifdef TSOCK_WITH_TLS
  if (scenario == "tls-echo-64x1") operations = tls_streams(turns, 64, 1, messages(1, 64));
  if (scenario == "tls-echo-64x32") operations = tls_streams(turns, 64, 32, messages(32, 64));
  if (scenario == "tls-echo-16k") operations = tls_streams(turns, 16, 4, messages(4, 16384));
#endif
#ifdef TSOCK_WITH_NPA
  if (scenario == "npa-echo-64x1") operations = npa_streams(turns, 64, 1, npa_messages(1, 64));
  if (scenario == "npa-echo-64x32") operations = npa_streams(turns, 64, 32, npa_messages(32, 64));
  if (scenario == "npa-echo-4k") operations = npa_streams(turns, 64, 1, npa_messages(1, 4096));
#endif
  if (operations == 0) {
    std::fprintf(stderr, "no such scenario: %s\n", argv[1]);
    return 2;
  }
  std::printf("%zu\n", operations);
}
