// What a backend owns may destroy its stream, socket or listener, the request that ends it, and the Loop.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <tsock/layer/listen_over.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "core/stream/forwarding_backend.hpp"
#include "core/stream/stream_access.hpp"
#include "core/stream/stream_core.hpp"
#include "support/loop_fixture.hpp"

namespace tsock::test {

namespace data = boost::unit_test::data;

namespace {

/// Something that acts when it is destroyed.
class Owned {
 public:
  explicit Owned(std::function<void()> at_end) noexcept : at_end_(std::move(at_end)) {}
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() { at_end_(); }

 private:
  std::function<void()> at_end_;
};

/// Empties the place before what is in it goes, which may come here again. reset() does so with libstdc++
/// alone.
template <class T>
void drop(std::optional<T>& place) {
  const std::optional<T> dropped = std::exchange(place, std::nullopt);
}

class OwningStream final : public detail::ForwardingBackend<StreamBackend> {
 public:
  OwningStream(std::unique_ptr<StreamBackend> below, std::function<void()> at_end, bool lingers)
      : ForwardingBackend(std::move(below)), owned_(std::move(at_end)), lingers_(lingers) {}
  int try_disconnect(Linger& linger) noexcept override {
    return lingers_ ? EAGAIN : below().try_disconnect(linger);
  }
  [[nodiscard]] Readiness want_writable() noexcept override { return Readiness::later; }

 private:
  Owned owned_;
  bool lingers_;
};

/// A socket that does nothing, and never ends by itself if it lingers.
class OwningDatagram final : public DatagramBackend {
 public:
  OwningDatagram(std::function<void()> at_end, bool lingers) : owned_(std::move(at_end)), lingers_(lingers) {}
  void attach(DatagramEvents& /*events*/) noexcept override {}
  std::size_t try_receive(std::span<DatagramSlot> /*slots*/, int& err) noexcept override {
    err = EAGAIN;
    return 0;
  }
  std::size_t try_send(std::span<const DatagramMessage> /*messages*/, int& err) noexcept override {
    err = EAGAIN;
    return 0;
  }
  int try_disconnect() noexcept override { return lingers_ ? EAGAIN : 0; }
  [[nodiscard]] Readiness want_readable() noexcept override { return Readiness::later; }
  [[nodiscard]] Readiness want_writable() noexcept override { return Readiness::later; }

 private:
  Owned owned_;
  bool lingers_;
};

/// A listener with a connection when the test says so.
struct OneConnection final : ListenerBackend {
  void attach(ListenerEvents& told) noexcept override { events = &told; }
  int try_accept(std::unique_ptr<StreamBackend>& stream) noexcept override {
    stream = std::move(connection);
    return stream != nullptr ? 0 : EAGAIN;
  }
  [[nodiscard]] Readiness want_acceptable() noexcept override { return Readiness::later; }
  [[nodiscard]] Address local_address() const noexcept override { return {}; }

  ListenerEvents* events = nullptr;
  std::unique_ptr<StreamBackend> connection;
};

/// A handshake that gives what it was made with.
class Broken final : public Operation<Stream> {
 public:
  explicit Broken(Stream stream) noexcept : stream_(std::move(stream)) {}
  void start() override { done(std::move(stream_)); }

 private:
  Stream stream_;
};

/// A Loop with a stream and a datagram socket, all of which may be destroyed at any time.
struct Owners {
  Owners() { loop->set_logger(nullptr); }
  Owners(const Owners&) = delete;
  Owners& operator=(const Owners&) = delete;
  ~Owners() = default;

  std::unique_ptr<StreamBackend> backend_that_owns(std::function<void()> at_end, bool lingers = false) {
    auto [left, right] = memory_stream_pair(*loop);
    std::vector<std::byte> unread;
    int err = -1;
    auto backend = StreamAccess::core(left)->take_backend(unread, err);
    BOOST_TEST_REQUIRE(err == 0);
    peer = std::move(right);
    return std::make_unique<OwningStream>(std::move(backend), std::move(at_end), lingers);
  }
  Stream stream_that_owns(std::function<void()> at_end, bool lingers) {
    return {*loop, backend_that_owns(std::move(at_end), lingers)};
  }
  void destroy_all() {
    ++ends;
    drop(request);
    drop(stream);
    drop(datagram);
    drop(listener);
    loop.reset();
  }
  [[nodiscard]] std::function<void()> end() {
    return [this] { destroy_all(); };
  }

  std::unique_ptr<Loop> loop = std::make_unique<Loop>();
  Stream peer;
  std::optional<Stream> stream;
  std::optional<Datagram> datagram;
  std::optional<Listener> listener;
  std::optional<Request<void>> request;
  int ends = 0;
};

/// How the request goes that the backend of a stream or socket waits with.
enum class End { cancelled, destroyed, timed_out };

void finish(Owners& owners, End how) {
  switch (how) {
    case End::cancelled:
      owners.request->cancel();
      break;
    case End::destroyed:
      drop(owners.request);
      break;
    case End::timed_out:
      owners.request->set_timeout(std::chrono::nanoseconds(0));
      owners.loop->run();
      break;
  }
}

const auto ends = data::make({End::cancelled, End::destroyed, End::timed_out});

std::ostream& operator<<(std::ostream& out, End end) { return out << static_cast<int>(end); }

}  // namespace

BOOST_AUTO_TEST_SUITE(backend_owner)

BOOST_DATA_TEST_CASE(a_disconnect_that_waits_may_be_the_last_of_everything, ends, how) {
  Owners owners;
  owners.stream = owners.stream_that_owns(owners.end(), true);
  owners.request = owners.stream->disconnect();
  finish(owners, how);
  BOOST_TEST(owners.ends == 1);
}

BOOST_DATA_TEST_CASE(so_may_one_that_owns_its_stream, ends, how) {
  Owners owners;
  owners.request = owners.stream_that_owns(owners.end(), true).disconnect(Queue());
  finish(owners, how);
  BOOST_TEST(owners.ends == 1);
}

BOOST_DATA_TEST_CASE(so_may_that_of_a_datagram_socket, ends, how) {
  Owners owners;
  owners.datagram = Datagram(*owners.loop, std::make_unique<OwningDatagram>(owners.end(), true));
  owners.request = owners.datagram->disconnect();
  finish(owners, how);
  BOOST_TEST(owners.ends == 1);
}

BOOST_AUTO_TEST_CASE(a_stream_with_a_disconnect_that_was_not_delivered_leaves_nothing) {
  Owners owners;
  owners.stream = owners.stream_that_owns([&] { drop(owners.request); }, false);
  owners.request = owners.stream->disconnect();
  const std::size_t before = owners.loop->core().live_blocks();
  drop(owners.stream);
  BOOST_TEST(!owners.request.has_value());
  BOOST_TEST(owners.loop->core().live_blocks() == before - 2);
}

BOOST_DATA_TEST_CASE(a_stream_or_socket_that_is_destroyed_may_end_the_loop, data::make({true, false}),
                     is_datagram) {
  Owners owners;
  const auto end = [&] {
    ++owners.ends;
    owners.loop.reset();
  };
  if (is_datagram) {
    owners.datagram = Datagram(*owners.loop, std::make_unique<OwningDatagram>(end, false));
    drop(owners.datagram);
  } else {
    owners.stream = owners.stream_that_owns(end, false);
    drop(owners.stream);
  }
  BOOST_TEST(owners.ends == 1);
}

BOOST_AUTO_TEST_CASE(a_connection_that_was_given_back_may_destroy_its_listener_with_the_loop) {
  Owners owners;
  auto backend = std::make_unique<OneConnection>();
  OneConnection& network = *backend;
  owners.listener = Listener(*owners.loop, std::move(backend));
  std::optional<Request<Stream>> accepting = owners.listener->accept();
  network.connection = owners.backend_that_owns([&] {
    ++owners.ends;
    drop(owners.listener);
  });
  network.events->on_acceptable();
  accepting.reset();
  BOOST_TEST(owners.ends == 0);
  owners.loop.reset();
  BOOST_TEST(owners.ends == 1);
}

BOOST_AUTO_TEST_CASE(a_stream_that_breaks_behind_its_handshake_may_destroy_the_listener) {
  Owners owners;
  int err = -1;
  Listener below = Listener::listen(*owners.loop, loopback_v4(), {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  owners.listener = layer::listen_over(std::move(below), [&](const Stream& /*stream*/) {
    Stream broken = owners.stream_that_owns(owners.end(), false);
    broken.abort();
    return make_request<Broken>(*owners.loop, std::move(broken));
  });
  const Request<Stream> accepting = owners.listener->accept();
  const Request<Stream> connecting = Stream::connect(*owners.loop, owners.listener->local_address());
  while (owners.loop != nullptr) owners.loop->run_once();
  BOOST_TEST(owners.ends == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
