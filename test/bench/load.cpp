// The load: drives a server of any contender and prints one JSON line with what was done and what it cost the
// server meanwhile. See load_options.hpp for what it takes.

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bench/heap_counters.hpp"
#include "bench/load_options.hpp"
#include "bench/load_wire.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using bench::connect_to;
using bench::die;
using bench::LoadOptions;
using bench::loopback;
using bench::Wire;

constexpr std::size_t bulk_vector = std::size_t{1} << 20;

double now(clockid_t clock) {
  timespec time{};
  if (::clock_gettime(clock, &time) != 0) die("clock_gettime");
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Bytes of memory that are the server's own, as the kernel counts its pages.
std::int64_t private_bytes(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/smaps_rollup";
  std::FILE* const file = std::fopen(path.c_str(), "re");
  if (file == nullptr) die(path.c_str());
  std::array<char, 256> line{};
  long kilobytes = 0;
  while (std::fgets(line.data(), static_cast<int>(line.size()), file) != nullptr) {
    long value = 0;
    if (std::sscanf(line.data(), "Private_Dirty: %ld", &value) == 1) kilobytes += value;
  }
  std::fclose(file);
  return std::int64_t{kilobytes} * 1024;
}

/// What the server has used up since this was made.
class ServerMeter {
 public:
  explicit ServerMeter(const LoadOptions& options) {
    if (::clock_getcpuclockid(options.server, &clock_) != 0) die("the server's clock");
    if (!options.heap.empty()) map(options.heap);
    restart();
  }

  void restart() {
    begin_ = Clock::now();
    cpu_ = now(clock_);
    own_cpu_ = now(CLOCK_PROCESS_CPUTIME_ID);
    allocations_ = heap_ != nullptr ? heap_->allocations.load() : 0;
  }

  void print(std::uint64_t operations, std::uint64_t bytes, std::uint64_t lost = 0) const {
    const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    const double cpu = now(clock_) - cpu_;
    const double own = now(CLOCK_PROCESS_CPUTIME_ID) - own_cpu_;
    const std::uint64_t allocations = heap_ != nullptr ? heap_->allocations.load() - allocations_ : 0;
    std::printf(
        "{\"operations\": %llu, \"bytes\": %llu, \"lost\": %llu, \"seconds\": %.6f, \"server_cpu\": %.9f, "
        "\"load_cpu\": %.9f, \"allocations\": %llu}\n",
        static_cast<unsigned long long>(operations), static_cast<unsigned long long>(bytes),
        static_cast<unsigned long long>(lost), seconds, cpu, own,
        static_cast<unsigned long long>(allocations));
  }

  [[nodiscard]] std::int64_t heap_bytes() const { return heap_ != nullptr ? heap_->bytes.load() : 0; }

 private:
  void map(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) die(path.c_str());
    void* const memory = ::mmap(nullptr, sizeof(bench::HeapCounters), PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) die("mmap");
    ::close(fd);
    heap_ = static_cast<const bench::HeapCounters*>(memory);
  }

  clockid_t clock_ = 0;
  Clock::time_point begin_;
  double cpu_ = 0;
  double own_cpu_ = 0;
  const bench::HeapCounters* heap_ = nullptr;
  std::uint64_t allocations_ = 0;
};

Clock::duration duration_of(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

/// What stands in front of a message: four bytes of length, or two as in NPA's message mode.
struct Header {
  std::array<unsigned char, 4> bytes{};
  std::size_t size = 4;

  Header(std::size_t body, bool is_npa) : size(is_npa ? 2 : 4) {
    for (unsigned b = 0; b < size; ++b)
      bytes[b] = static_cast<unsigned char>(body >> (is_npa ? 8U * b : 24U - 8U * b));
  }
};

/// The messages of one connection, in order: all of a size, or sizes from a table that is the same for every
/// contender.
class Script {
 public:
  explicit Script(const LoadOptions& options) : header_size_(options.messages ? 2 : 4) {
    if (options.smallest == options.largest) {
      bodies_.assign(1, options.smallest);
    } else {
      std::mt19937_64 random(1);
      const double low = std::log(static_cast<double>(options.smallest));
      const double high = std::log(static_cast<double>(options.largest) + 0.5);
      for (std::size_t i = 0; i < 1024; ++i) {
        const double at = static_cast<double>(random() >> 11U) * 0x1p-53;
        bodies_.push_back(static_cast<std::size_t>(std::exp(low + (high - low) * at)));
      }
    }
    // Bytes that differ from place to place, so that a server that mixes them up is seen.
    filler_.resize(options.largest + 1);
    for (std::size_t i = 0; i < filler_.size(); ++i)
      filler_[i] = static_cast<unsigned char>(i * 7 + (i >> 8U));
    for (const std::size_t body : bodies_) headers_.emplace_back(body, options.messages);
    // One size: whole messages one behind the other, to be sent in one piece.
    if (bodies_.size() == 1) {
      const std::size_t count = std::max<std::size_t>(2, (std::size_t{1} << 20U) / size(0));
      for (std::size_t i = 0; i < count; ++i) {
        pattern_.insert(pattern_.end(), headers_[0].bytes.begin(),
                        headers_[0].bytes.begin() + static_cast<std::ptrdiff_t>(header_size_));
        pattern_.insert(pattern_.end(), filler_.begin(),
                        filler_.begin() + static_cast<std::ptrdiff_t>(bodies_[0]));
      }
    }
  }

  [[nodiscard]] std::size_t size(std::size_t i) const { return bodies_[i % bodies_.size()] + header_size_; }
  [[nodiscard]] std::size_t header_size() const { return header_size_; }
  [[nodiscard]] std::size_t count() const { return bodies_.size(); }

  /// Sends from byte `phase` of message `i` on, up to the end of message `end`. \return as send(2)
  ssize_t send(Wire& wire, std::size_t i, std::size_t end, std::size_t phase) {
    if (!pattern_.empty()) {
      const std::size_t bytes = std::min((end - i) * size(0), pattern_.size()) - phase;
      return wire.send(pattern_.data() + phase, bytes);
    }
    std::array<iovec, 64> vectors{};
    std::size_t used = 0;
    for (; i != end && used < vectors.size(); ++i) {
      auto& header = headers_[i % bodies_.size()].bytes;
      if (phase < header_size_) vectors[used++] = {header.data() + phase, header_size_ - phase};
      const std::size_t skip = phase > header_size_ ? phase - header_size_ : 0;
      vectors[used++] = {filler_.data() + skip, size(i) - header_size_ - skip};
      phase = 0;
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = used;
    return wire.send(message);
  }

  /// Whether `bytes` are what message `i` has from `phase` on.
  [[nodiscard]] bool matches(std::size_t i, std::size_t phase, const unsigned char* bytes,
                             std::size_t count) const {
    for (std::size_t at = 0; at < count; ++at) {
      while (phase == size(i)) {
        phase = 0;
        ++i;
      }
      const std::size_t entry = i % bodies_.size();
      const unsigned char expected =
          phase < header_size_ ? headers_[entry].bytes[phase] : filler_[phase - header_size_];
      if (bytes[at] != expected) return false;
      ++phase;
    }
    return true;
  }

 private:
  std::vector<std::size_t> bodies_;
  std::size_t header_size_;
  std::vector<Header> headers_;
  std::vector<unsigned char> filler_;
  std::vector<unsigned char> pattern_;
};

Wire wire_over(int fd, const LoadOptions& options) {
  if (options.gssapi.empty()) return {fd, options.tls};
  return {fd, std::make_unique<bench::GssChannel>(fd, options.gssapi != "integrity")};
}

/// Connections with a window of messages in flight each.
class EchoLoad {
 public:
  explicit EchoLoad(const LoadOptions& options)
      : options_(options),
        script_(options),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        connections_(options.connections) {
    constexpr std::size_t group = 128;
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      connections_[i].wire = connect(options);
      // Everybody is answered once before the next group comes, so that the server's backlog cannot run over.
      if ((i + 1) % group == 0 || i + 1 == connections_.size()) {
        for (std::size_t j = i / group * group; j <= i; ++j) check(connections_[j]);
      }
    }
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &connections_[i];
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_[i].wire.fd(), &event);
      // Every connection is somewhere else in the script.
      connections_[i].read = connections_[i].sent = connections_[i].wanted = i * 37 % script_.count();
    }
  }

  void begin() {
    const std::size_t stride = connections_.size() / options_.active;
    for (std::size_t i = 0; i < options_.active; ++i) {
      Connection& connection = connections_[i * stride];
      connection.wanted += options_.in_flight;
      send(connection);
    }
  }

  void run_for(double seconds) {
    const auto end = Clock::now() + duration_of(seconds);
    operations_ = 0;
    bytes_ = 0;
    std::vector<epoll_event> events(1024);
    while (Clock::now() < end) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        auto& connection = *static_cast<Connection*>(event.data.ptr);
        if ((event.events & ~static_cast<unsigned>(EPOLLOUT)) != 0) receive(connection);
        if (connection.sent != connection.wanted || connection.writing) send(connection);
      }
    }
  }

  [[nodiscard]] std::uint64_t operations() const { return operations_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  struct Connection {
    Wire wire;
    bool writing = false;
    std::size_t wanted = 0;  // messages that are to be sent, counted from the script's beginning
    std::size_t sent = 0;
    std::size_t sent_phase = 0;  // bytes of the message that is half out
    std::size_t read = 0;
    std::size_t read_phase = 0;
  };

  [[nodiscard]] std::size_t reply_size(std::size_t i) const {
    return options_.reply != 0 ? options_.reply + script_.header_size() : script_.size(i);
  }

  static Wire connect(const LoadOptions& options) {
    const int fd =
        options.unix_name.empty() ? connect_to(options.ports[0]) : bench::connect_to_unix(options.unix_name);
    if (options.npa) {
      bench::send_npa_request(fd);
      bench::read_npa_reply(fd);
    }
    return wire_over(fd, options);
  }

  // One message, and whether it comes back as it went.
  void check(Connection& connection) {
    const std::size_t size = script_.size(0);
    const std::size_t reply = reply_size(0);
    for (std::size_t sent = 0, got = 0; got < reply;) {
      if (!connection.wire.handshake()) {
        connection.wire.wait();
        continue;
      }
      if (sent < size) {
        const ssize_t count = script_.send(connection.wire, 0, 1, sent);
        if (count > 0) sent += static_cast<std::size_t>(count);
      }
      connection.wire.flush();
      if (sent == size) connection.wire.wait();
      const ssize_t count = connection.wire.recv(buffer_.data(), std::min(buffer_.size(), reply - got));
      if (count < 0 && errno == EAGAIN) continue;
      if (count <= 0) LoadOptions::fail("the server closed a connection");
      const auto more = static_cast<std::size_t>(count);
      if (options_.reply == 0 && !script_.matches(0, got, buffer_.data(), more)) {
        LoadOptions::fail("the echo is not what was sent");
      }
      got += more;
    }
  }

  void receive(Connection& connection) {
    const ssize_t got = connection.wire.recv(buffer_.data(), buffer_.size());
    if (got <= 0) {
      if (got == 0 || errno != EAGAIN) LoadOptions::fail("the server closed a connection");
      return;
    }
    bytes_ += static_cast<std::uint64_t>(got);
    connection.read_phase += static_cast<std::size_t>(got);
    while (connection.read_phase >= reply_size(connection.read)) {
      connection.read_phase -= reply_size(connection.read);
      ++connection.read;
      ++connection.wanted;
      ++operations_;
    }
  }

  void send(Connection& connection) {
    while (connection.wire.flush() && connection.sent != connection.wanted) {
      const ssize_t count =
          script_.send(connection.wire, connection.sent, connection.wanted, connection.sent_phase);
      if (count < 0) break;
      connection.sent_phase += static_cast<std::size_t>(count);
      while (connection.sent != connection.wanted && connection.sent_phase >= script_.size(connection.sent)) {
        connection.sent_phase -= script_.size(connection.sent);
        ++connection.sent;
      }
    }
    const bool writing = connection.sent != connection.wanted || !connection.wire.flush();
    if (writing == connection.writing) return;
    connection.writing = writing;
    epoll_event event{};
    event.events = EPOLLIN | (writing ? EPOLLOUT : 0U);
    event.data.ptr = &connection;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.wire.fd(), &event);
  }

  const LoadOptions& options_;
  Script script_;
  int epoll_;
  std::vector<Connection> connections_;
  std::vector<unsigned char> buffer_ = std::vector<unsigned char>(1 << 18);
  std::uint64_t operations_ = 0;
  std::uint64_t bytes_ = 0;
};

/// Connects, sends one message, takes the reply, closes; `connections` of them at a time.
class ConnectLoad {
 public:
  explicit ConnectLoad(const LoadOptions& options)
      : options_(options), script_(options), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (std::size_t i = 0; i < options.connections; ++i) start();
  }

  void run_for(double seconds) {
    const auto end = Clock::now() + duration_of(seconds);
    operations_ = 0;
    std::array<epoll_event, 256> events{};
    while (Clock::now() < end) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < count; ++i) step(events[static_cast<std::size_t>(i)].data.fd);
    }
  }
  [[nodiscard]] std::uint64_t operations() const { return operations_; }

 private:
  void start() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    // Many source addresses: closed connections keep their ports for a minute.
    sockaddr_in local = loopback(0);
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 + started_++ % 1024);
    const int one = 1;
    ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (::bind(fd, reinterpret_cast<sockaddr*>(&local), sizeof(local)) != 0) die("bind");
    const sockaddr_in address = loopback(options_.ports[0]);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
        errno != EINPROGRESS) {
      die("connect");
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    // On loopback the connection is there at once, but for a server whose backlog is full.
    if (send(fd) < 0) event.events = EPOLLOUT;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  ssize_t send(int fd) {
    Wire wire(fd, false);
    return script_.send(wire, 0, 1, 0);
  }

  void step(int fd) {
    const ssize_t got = ::recv(fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) {
      if (send(fd) < 0) die("send");
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.fd = fd;
      ::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
      return;
    }
    // Messages are small here and come in one piece.
    if (got != static_cast<ssize_t>(script_.size(0))) LoadOptions::fail("no whole reply");
    ++operations_;
    ::close(fd);
    start();
  }

  const LoadOptions& options_;
  Script script_;
  int epoll_;
  std::uint32_t started_ = 0;
  std::vector<unsigned char> buffer_ = std::vector<unsigned char>(1 << 16);
  std::uint64_t operations_ = 0;
};

/// Opens connections that all stay, each of which sends nothing. What is counted is that the server takes
/// them.
class CrowdLoad {
 public:
  explicit CrowdLoad(const LoadOptions& options) : options_(options), script_(options) {}
  CrowdLoad(const CrowdLoad&) = delete;
  CrowdLoad& operator=(const CrowdLoad&) = delete;
  ~CrowdLoad() {
    for (const int fd : fds_) ::close(fd);
  }

  void open(std::size_t count) {
    // The last one of a group is answered before the next group comes, so that the server's backlog cannot
    // run over. Many source addresses, as closed connections keep their ports for a minute.
    constexpr std::size_t group = 128;
    for (std::size_t i = 0; i < count; ++i) {
      fds_.push_back(connect_to(options_.ports[0], static_cast<std::int64_t>(fds_.size())));
      if ((i + 1) % group == 0 || i + 1 == count) echo(fds_.back());
    }
  }

  /// Returns once the server has closed them all, too.
  void close_all() {
    for (const int fd : fds_) ::shutdown(fd, SHUT_WR);
    unsigned char nothing = 0;
    for (const int fd : fds_) {
      if (::recv(fd, &nothing, 1, 0) != 0) LoadOptions::fail("the server has not closed");
      ::close(fd);
    }
    fds_.clear();
  }

 private:
  void echo(int fd) {
    Wire wire(fd, false);
    if (script_.send(wire, 0, 1, 0) != static_cast<ssize_t>(script_.size(0))) die("send");
    const auto size = static_cast<ssize_t>(script_.size(0));
    if (::recv(fd, buffer_.data(), script_.size(0), MSG_WAITALL) != size) LoadOptions::fail("no whole reply");
  }

  const LoadOptions& options_;
  Script script_;
  std::vector<int> fds_;
  std::vector<unsigned char> buffer_ = std::vector<unsigned char>(1 << 16);
};

/// Connects, has a handshake, waits for the server's ticket, which the server sends when its side is done,
/// says goodbye and closes; `connections` of them at a time.
class HandshakeLoad {
 public:
  explicit HandshakeLoad(const LoadOptions& options) : options_(options), wires_(options.connections) {
    // The session that the others resume.
    start(wires_[0], -1);
    while (!is_done(wires_[0])) wires_[0].wait();
    for (Wire& wire : wires_) start(wire, epoll_);
  }

  void run_for(double seconds) {
    const auto end = Clock::now() + duration_of(seconds);
    operations_ = 0;
    std::array<epoll_event, 256> events{};
    while (Clock::now() < end) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < count; ++i) {
        Wire& wire = *static_cast<Wire*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (!is_done(wire)) continue;
        if (wire.is_resumed() != options_.resume)
          LoadOptions::fail("not the kind of handshake that was asked for");
        ++operations_;
        wire.say_goodbye();
        start(wire, epoll_);
      }
    }
  }
  [[nodiscard]] std::uint64_t operations() const { return operations_; }

 private:
  void start(Wire& wire, int epoll) {
    wire = {};  // closes the one before
    wire = Wire(connect_to(options_.ports[0], started_++), true, options_.resume && epoll >= 0);
    wire.handshake();
    if (epoll < 0) return;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &wire;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, wire.fd(), &event);
  }

  static bool is_done(Wire& wire) {
    if (!wire.handshake()) return false;
    unsigned char nothing = 0;
    if (wire.recv(&nothing, 1) >= 0 || errno != EAGAIN) LoadOptions::fail("the server closed a connection");
    return wire.has_ticket();
  }

  const LoadOptions& options_;
  int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  std::uint32_t started_ = 0;
  std::vector<Wire> wires_;
  std::uint64_t operations_ = 0;
};

/// One stream, vectors of 1 MiB. An operation is a MiB.
class BulkLoad {
 public:
  explicit BulkLoad(const LoadOptions& options)
      : is_writer_(options.kind == "sink"), wire_(wire_over(connect_to(options.ports[0]), options)) {
    while (!wire_.handshake()) wire_.wait();
  }

  void run_for(double seconds) {
    const auto end = Clock::now() + duration_of(seconds);
    bytes_ = 0;
    while (Clock::now() < end) {
      const iovec vector{bytes_buffer_.get(), bulk_vector};
      const ssize_t moved = is_writer_ ? wire_.write(vector) : read(vector);
      if (moved <= 0) LoadOptions::fail("the server closed the stream");
      bytes_ += static_cast<std::uint64_t>(moved);
    }
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  // Cheaper than a read that blocks; the reader shall not be what is measured.
  [[nodiscard]] ssize_t read(const iovec& vector) {
    for (;;) {
      const ssize_t got = wire_.recv(static_cast<unsigned char*>(vector.iov_base), vector.iov_len);
      if (got >= 0 || errno != EAGAIN) return got;
      wire_.wait();
    }
  }

  bool is_writer_;
  Wire wire_;
  std::unique_ptr<std::byte[]> bytes_buffer_ = std::make_unique<std::byte[]>(bulk_vector);
  std::uint64_t bytes_ = 0;
};

/// One socket for each of the server's, with a window of datagrams in flight. What does not come back is lost
/// and replaced after a while.
class DatagramLoad {
 public:
  explicit DatagramLoad(const LoadOptions& options)
      : options_(options),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        flows_(options.ports.size()),
        payload_(options.smallest) {
    for (std::size_t i = 0; i < payload_.size(); ++i) payload_[i] = static_cast<unsigned char>(i * 7);
    for (std::size_t i = 0; i < flows_.size(); ++i) {
      Flow& flow = flows_[i];
      flow.fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      const sockaddr_in address = loopback(options.ports[i]);
      if (::connect(flow.fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
        die("connect");
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &flow;
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, flow.fd, &event);
    }
    for (std::size_t i = 0; i < batch; ++i) {
      in_[i] = {incoming_.get() + i * room, room};
      incoming_messages_[i].msg_hdr.msg_iov = &in_[i];
      incoming_messages_[i].msg_hdr.msg_iovlen = 1;
      out_[i] = {payload_.data(), payload_.size()};
      outgoing_messages_[i].msg_hdr.msg_iov = &out_[i];
      outgoing_messages_[i].msg_hdr.msg_iovlen = 1;
    }
    for (Flow& flow : flows_) send(flow, options_.in_flight);
  }

  void run_for(double seconds) {
    auto time = Clock::now();
    const auto end = time + duration_of(seconds);
    operations_ = 0;
    lost_ = 0;
    auto patience = time + std::chrono::milliseconds(50);
    std::vector<epoll_event> events(256);
    while (time < end) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 20);
      for (int i = 0; i < count; ++i) {
        Flow& flow = *static_cast<Flow*>(events[static_cast<std::size_t>(i)].data.ptr);
        const int got = ::recvmmsg(flow.fd, incoming_messages_.data(), batch, MSG_DONTWAIT, nullptr);
        if (got <= 0) continue;
        const auto replies = static_cast<std::size_t>(got);
        check(replies);
        operations_ += replies;
        flow.seen = true;
        flow.outstanding -= std::min(flow.outstanding, replies);
        send(flow, replies);
      }
      time = Clock::now();
      if (time < patience) continue;
      patience = time + std::chrono::milliseconds(50);
      for (Flow& flow : flows_) {
        if (!flow.seen) {
          lost_ += flow.outstanding;
          flow.outstanding = 0;
          send(flow, options_.in_flight);
        }
        flow.seen = false;
      }
    }
  }
  [[nodiscard]] std::uint64_t operations() const { return operations_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }

 private:
  static constexpr std::size_t batch = 64;
  static constexpr std::size_t room = 2048;
  struct Flow {
    int fd = -1;
    std::size_t outstanding = 0;
    bool seen = true;
  };

  void check(std::size_t replies) {
    for (std::size_t i = 0; i < replies; ++i) {
      if (incoming_messages_[i].msg_len != payload_.size())
        LoadOptions::fail("a datagram of another size came back");
    }
    if (std::memcmp(incoming_.get(), payload_.data(), payload_.size()) != 0) {
      LoadOptions::fail("the echo is not what was sent");
    }
  }

  void send(Flow& flow, std::size_t count) {
    while (count != 0) {
      const auto part = static_cast<unsigned>(std::min(count, batch));
      const int sent = ::sendmmsg(flow.fd, outgoing_messages_.data(), part, MSG_DONTWAIT);
      if (sent <= 0) return;
      flow.outstanding += static_cast<std::size_t>(sent);
      count -= static_cast<std::size_t>(sent);
    }
  }

  const LoadOptions& options_;
  int epoll_;
  std::vector<Flow> flows_;
  std::vector<unsigned char> payload_;
  std::unique_ptr<unsigned char[]> incoming_ = std::make_unique<unsigned char[]>(batch * room);
  std::array<iovec, batch> in_{};
  std::array<iovec, batch> out_{};
  std::array<mmsghdr, batch> incoming_messages_{};
  std::array<mmsghdr, batch> outgoing_messages_{};
  std::uint64_t operations_ = 0;
  std::uint64_t lost_ = 0;
};

// What connections leave behind that were open at once and are closed.
void measure_closed(const LoadOptions& options, const ServerMeter& meter) {
  CrowdLoad load(options);
  load.open(64);
  load.close_all();
  ::usleep(50'000);
  const std::int64_t pages = private_bytes(options.server);
  const std::int64_t heap = meter.heap_bytes();
  load.open(options.connections);
  load.close_all();
  ::usleep(1'500'000);  // a loop that is at rest for a second may give memory back
  const auto count = static_cast<double>(options.connections);
  std::printf("{\"connections\": %zu, \"resident_bytes\": %.1f, \"heap_bytes\": %.1f}\n", options.connections,
              static_cast<double>(private_bytes(options.server) - pages) / count,
              static_cast<double>(meter.heap_bytes() - heap) / count);
}

// How much a connection adds that was used once and is idle now.
void measure_memory(const LoadOptions& options, const ServerMeter& meter) {
  // The first connections find the server still setting itself up.
  LoadOptions few = options;
  few.connections = few.active = 64;
  const EchoLoad warm(few);
  ::usleep(50'000);
  const std::int64_t pages = private_bytes(options.server);
  const std::int64_t heap = meter.heap_bytes();
  const EchoLoad load(options);
  ::usleep(100'000);
  const auto count = static_cast<double>(options.connections);
  std::printf("{\"connections\": %zu, \"resident_bytes\": %.1f, \"heap_bytes\": %.1f}\n", options.connections,
              static_cast<double>(private_bytes(options.server) - pages) / count,
              static_cast<double>(meter.heap_bytes() - heap) / count);
}

}  // namespace

int main(int argc, char** argv) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);

  const LoadOptions options(argc, argv);
  ServerMeter meter(options);
  const auto measure = [&](auto& load) {
    load.run_for(options.warmup);
    meter.restart();
    load.run_for(options.seconds);
  };
  if (options.memory) {
    options.kind == "crowd" ? measure_closed(options, meter) : measure_memory(options, meter);
  } else if (options.kind == "crowd") {
    CrowdLoad load(options);
    load.open(64);
    meter.restart();
    load.open(options.connections);
    meter.print(options.connections, 0);
  } else if (options.kind == "echo") {
    EchoLoad load(options);
    load.begin();
    measure(load);
    meter.print(load.operations(), load.bytes());
  } else if (options.kind == "connect") {
    ConnectLoad load(options);
    measure(load);
    meter.print(load.operations(), load.operations() * (options.smallest + 4));
  } else if (options.kind == "handshake") {
    HandshakeLoad load(options);
    measure(load);
    meter.print(load.operations(), 0);
  } else if (options.kind == "sink" || options.kind == "source") {
    BulkLoad load(options);
    measure(load);
    meter.print(load.bytes() / bulk_vector, load.bytes());
  } else if (options.kind == "datagram") {
    DatagramLoad load(options);
    measure(load);
    meter.print(load.operations(), load.operations() * options.smallest, load.lost());
  } else {
    LoadOptions::fail("unknown kind");
  }
}
