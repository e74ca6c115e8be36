// Uses every public class and every free function, so that a shared tsock is known to export them, and what
// their inline functions and templates need of it.
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tsock/connect_host.hpp>
#include <tsock/datagram_backend.hpp>
#include <tsock/listener_backend.hpp>
#include <tsock/memory_datagram.hpp>
#include <tsock/memory_stream.hpp>
#include <tsock/socket_control.hpp>
#include <tsock/stdio_stream.hpp>
#include <tsock/tsock.hpp>
#include <tsock/uv_stream.hpp>
#include <unordered_set>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;

void require(bool right, const char* what) {
  if (right) return;
  std::fprintf(stderr, "wrong: %s\n", what);
  std::exit(1);
}

/// A stream at its end.
class EndedStream : public tsock::SocketControl {
 public:
  void attach(tsock::StreamEvents& /*events*/) noexcept override {}
  tsock::ssize_t try_readv(std::span<const tsock::iovec> /*vectors*/, int& /*err*/) noexcept override {
    return 0;
  }
  tsock::ssize_t try_writev(std::span<const tsock::iovec> /*vectors*/, int& err) noexcept override {
    err = EPIPE;
    return -1;
  }
  int try_shutdown_write() noexcept override { return 0; }
  int try_disconnect(tsock::Linger& /*linger*/) noexcept override { return 0; }
  void abort() noexcept override {}
  tsock::Readiness want_readable() noexcept override { return tsock::Readiness::now; }
  tsock::Readiness want_writable() noexcept override { return tsock::Readiness::now; }
  void want_broken() noexcept override {}
  std::size_t pending_bytes(int& err) noexcept override {
    err = EPIPE;
    return 0;
  }
  tsock::NativeSocket native_handle() const noexcept override { return tsock::invalid_socket; }
  tsock::UniqueSocket release_socket() noexcept override { return {}; }
  int peer_credentials(tsock::PeerCredentials& /*credentials*/) const noexcept override { return ENOTSUP; }
  tsock::ssize_t try_writev_with_fds(std::span<const tsock::iovec> vectors, std::span<const int> /*fds*/,
                                     int& err) noexcept override {
    return try_writev(vectors, err);
  }
  int take_received_fds(std::size_t /*unread*/, std::vector<tsock::UniqueFd>& /*taken*/) noexcept override {
    return 0;
  }
};

/// A socket that takes every datagram, and gets none.
class DatagramSink : public tsock::DatagramBackend {
 public:
  void attach(tsock::DatagramEvents& /*events*/) noexcept override {}
  std::size_t try_receive(std::span<tsock::DatagramSlot> /*slots*/, int& err) noexcept override {
    err = EAGAIN;
    return 0;
  }
  std::size_t try_send(std::span<const tsock::DatagramMessage> messages, int& /*err*/) noexcept override {
    return messages.size();
  }
  int try_disconnect() noexcept override { return 0; }
  tsock::Readiness want_readable() noexcept override { return tsock::Readiness::later; }
  tsock::Readiness want_writable() noexcept override { return tsock::Readiness::later; }
};

/// A listener to which nobody connects.
class LonelyListener : public tsock::ListenerBackend {
 public:
  void attach(tsock::ListenerEvents& /*events*/) noexcept override {}
  int try_accept(std::unique_ptr<tsock::StreamBackend>& /*stream*/) noexcept override { return EAGAIN; }
  tsock::Readiness want_acceptable() noexcept override { return tsock::Readiness::later; }
  tsock::Address local_address() const noexcept override { return {}; }
};

class Sum : public tsock::Operation<int> {
 public:
  static constexpr const char* name = "sum";
  Sum(int first, int second) : first_(first), second_(second) {}
  void start() override {
    turn_ = loop().sleep(0ms);
    turn_.set_callback([this](tsock::Request<void>& turn) {
      int err = 0;
      turn.recv(err);
      if (!error(err)) done(first_ + second_);
    });
  }

 private:
  int first_;
  int second_;
  tsock::Request<void> turn_;
};

template <class T>
auto result(tsock::Request<T> request, const char* what) {
  int err = 0;
  require(request.wait(err), what);
  if constexpr (std::is_void_v<T>) {
    request.recv(err);
    require(err == 0, what);
  } else {
    T value = request.recv(err);
    require(err == 0, what);
    return value;
  }
}

void use_streams(tsock::Loop& loop) {
  auto source = tsock::memory_stream_pair(loop);
  tsock::Stream& first = source.first;
  tsock::Stream& second = source.second;
  tsock::Queue queue(loop, "out");
  tsock::QueueHold hold = queue.block();
  hold.release();
  first.set_watermarks({}, [](tsock::Watermark) {});
  std::move(first.write(queue, std::string("one\ntwo\n"))).detach();
  require(result(second.readv_pdu(tsock::framing::line{}), "a line").size() == 4, "the line");
  tsock::Pdu line = result(second.readv_pdu(tsock::Framing(tsock::framing::line{})), "another line");
  require(line.body().size() == 3, "the other line");

  std::move(first.write(std::move(line))).detach();
  std::array<std::byte, 4> four{};
  require(result(second.readv_pdu([&, asked = false](tsock::VectorList& next) mutable {
            if (!std::exchange(asked, true)) next.add(std::span(four));
            return 0;
          }),
                 "by vectors") == 4,
          "the bytes of the vectors");

  std::move(first.write(std::as_bytes(std::span("\0\0\0\1x", 5)))).detach();
  require(result(second.readv_pdu(tsock::framing::u32be{}), "a message").body().size() == 1, "its body");
  auto submitted = queue.submit([&] { return first.write(std::string_view("three")); });
  require(result(second.read(std::span(four)), "read()") == 4, "bytes read");

  auto [third, fourth] = tsock::memory_stream_pair(loop);
  auto pump = tsock::pump(second, third);
  require(result(fourth.read_some(std::span(four)), "read_some()") == 1, "a byte through the pump");
  require(result(std::move(submitted), "submit()") == 5, "submitted bytes");
  require(static_cast<bool>(result(queue.wait(), "wait()")), "the queue's turn");
  auto shutdown = first.shutdown_write();
  require(result(std::move(pump), "pump()").bytes == 1, "pumped bytes");
  result(std::move(shutdown), "shutdown_write()");
  result(fourth.disconnect(), "disconnect()");

  tsock::Stream own(loop, std::make_unique<EndedStream>());
  result(std::move(own).disconnect(), "disconnect() of a backend of our own");
}

void use_sockets(tsock::Loop& loop) {
  int err = 0;
  auto listener =
      tsock::Listener::tcp(loop, tsock::Address::inet_from_strings("ip", "127.0.0.1", 0, err), {}, err);
  require(err == 0, "Listener::tcp()");
  tsock::Stream accepted;
  tsock::AcceptSlot slot;
  tsock::Accepting accepting = tsock::for_each_accept(listener, tsock::AcceptOptions{.most = 1},
                                                      [&](tsock::Stream stream, tsock::AcceptSlot place) {
                                                        accepted = std::move(stream);
                                                        slot = std::move(place);
                                                        loop.stop();
                                                      });
  tsock::Stream client =
      result(tsock::connect_to_host(loop, {listener.local_address()}), "connect_to_host()");
  if (!accepted) loop.run();
  require(accepting.connections() == 1 && client.native_handle() >= 0, "accepted connections");
  accepting.stop();
  result(
      tsock::connect_to_host(loop, "127.0.0.1", std::to_string(listener.local_address().port().value_or(0))),
      "by a name");
  std::vector<std::byte> unread;
  tsock::UniqueSocket socket = client.release_socket(unread, err);
  require(bool(socket) && err == 0, "release_socket()");
  require(tsock::Stream::adopt(loop, socket, {}, err).is_open(), "Stream::adopt()");

  tsock::Listener own(loop, std::make_unique<LonelyListener>());
  require(own.accept().is_in_progress(), "accept() of a backend of our own");
  tsock::for_each_accept(own, [](tsock::Stream) {}).stop();

  require(tsock::open_stdio(loop, -1, err).is_open() || err != 0, "open_stdio()");
  require(tsock::open_file(loop, "/dev/null", tsock::FileMode::write, err).is_open(), "open_file()");
  require(!tsock::wrap_uv_stream(loop, nullptr, tsock::UvStreamOwnership::borrow(), {}, err).is_open(),
          "wrap_uv_stream()");
}

void use_datagrams(tsock::Loop& loop) {
  auto [first, second] = tsock::memory_datagram_pair(loop);
  result(first.sendto("text"), "sendto()");
  tsock::ReceivedDatagram received = result(second.recvfrom(), "recvfrom()");
  require(received.size() == 4 && received.source().to_string() == received.source().to_string(),
          "a datagram");
  require(tsock::ReceivedDatagram().source() == tsock::Address(), "no datagram");
  require(result(first.sendto(received.copy()), "sendto() of owned bytes") == 4, "its bytes");
  require(result(second.recv_many(2), "recv_many()").size() == 1, "datagrams");
  tsock::Datagram own(loop, std::make_unique<DatagramSink>());
  require(result(own.sendto("text"), "sendto() by a backend of our own") == 4, "its bytes");
  int err = 0;
  auto pair = tsock::Datagram::socketpair(loop, err);
  require(bool(pair.first), "Datagram::socketpair()");
}

}  // namespace

int main() {
  tsock::Loop loop;
  int steps = 0;
  loop.set_trace(
      [&](const tsock::TraceEvent& event) { steps += tsock::trace_kind_name(event.kind).empty() ? 0 : 1; });
  bool posted = false;
  loop.post([&] { posted = true; });
  loop.post([&, large = std::array<char, 100>{}] { posted = posted && large[0] == 0; });
  require(result(tsock::make_request<Sum>(loop, 2, 3), "make_request()") == 5 && posted, "the sum");
  use_streams(loop);
  use_sockets(loop);
  use_datagrams(loop);

  int err = 0;
  const auto addresses = result(tsock::resolve(loop, "127.0.0.1", "7000"), "resolve()");
  const std::unordered_set<tsock::Address> set(addresses.begin(), addresses.end());
  require(result(tsock::run_on_worker(loop, [] { return 7; }), "run_on_worker()") == 7, "a worker");
  require(addresses.front() <= addresses.front() && set.size() == 1 && tsock::is_host_text("localhost"),
          "addresses");
  require(tsock::SendFrom(addresses.front()).hash() == tsock::SendFrom(addresses.front()).hash(), "SendFrom");
  require(tsock::error_name(EPIPE) == "EPIPE" && !tsock::error_text(EPIPE).empty(), "names of errors");
  std::ostringstream dump;
  dump << tsock::Address::parse("127.0.0.1:7000", err);
  loop.dump(dump);
  try {
    static_cast<void>(tsock::Stream().loop());
    require(false, "no loop");
  } catch (const std::logic_error&) {
  }
  require(steps > 0 && loop.metrics().completions > 0, "the trace");
  std::puts("every public class: ok");
}
