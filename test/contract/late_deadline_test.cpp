// A deadline does not beat what is there by then, also when a callback held the loop up past it.
#include <sys/socket.h>

#include "contract/stream_fixture.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

struct LateFixture : StreamFixture {
  static constexpr std::chrono::milliseconds limit{2};

  /// Has the loop call `last`, which sets a deadline of `limit`, and holds the loop up until that has passed.
  template <class F>
  void hold_up(F last) {
    bool ran = false;
    loop.post([&] {
      last();
      const auto end = Clock::now() + 2 * limit;
      while (Clock::now() < end) continue;
      ran = true;
    });
    BOOST_TEST_REQUIRE(run_until([&ran] { return ran; }));
  }
  template <class T>
  void answer_late(Request<T>& reading, std::string_view text) {
    loop.run_until_idle();
    Request<ssize_t> sending;
    hold_up([&] {
      sending = peer.write(text);
      reading.set_timeout(limit);
    });
    wait_for(reading);
    BOOST_TEST(error_of(sending) == 0);
  }
};

/// Asks, and reads an answer in two steps.
class Exchange final : public Operation<std::string> {
 public:
  explicit Exchange(Stream& stream) : stream_(stream) {}
  void start() override {
    reading_ = stream_.read(std::span(buffer_).first(4));
    reading_.set_callback([this](auto& request) {
      int err = 0;
      request.recv(err);
      if (error(err)) return;
      rest_ = stream_.read(std::span(buffer_).subspan(4));
      rest_.set_callback([this](auto& last) {
        int last_err = 0;
        last.recv(last_err);
        if (!error(last_err)) done(text_of(buffer_));
      });
    });
  }

 private:
  Stream& stream_;
  Bytes buffer_ = Bytes(6);
  Request<ssize_t> reading_;
  Request<ssize_t> rest_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(late_deadline)

BOOST_DATA_TEST_CASE_F(LateFixture, a_read_gets_what_was_there_in_time, data::make(reading_backends()),
                       backend) {
  open(backend);
  Bytes buffer(9);
  Request<ssize_t> whole = ours.read(buffer);
  answer_late(whole, "123456789");
  BOOST_TEST(value_of(whole) == 9);
  Request<ssize_t> some = ours.read_some(buffer);
  answer_late(some, "x");
  BOOST_TEST(value_of(some) == 1);
}

BOOST_DATA_TEST_CASE_F(
    LateFixture, a_message_that_was_there_in_time_is_read,
    data::make(backends_with([](const BackendTraits& traits) { return traits.max_transfer > 100; },
                             reading_backends())),
    backend) {
  open(backend);
  Request<Pdu> message = ours.readv_pdu(framing::u8{.max_body = 100});
  answer_late(message, "\b12345678");
  BOOST_TEST(text_of(value_of(message).body()) == "12345678");
  // Without reading ahead a line is a call for each byte, and these are more events than get a look.
  if (backend.traits.buffers && !backend.traits.read_ahead) return;
  Request<Pdu> line = ours.readv_pdu(framing::line{.max_body = 100});
  answer_late(line, "12345678\n");
  BOOST_TEST(text_of(value_of(line).body()) == "12345678");
}

BOOST_DATA_TEST_CASE_F(LateFixture, a_message_by_next_vector_function_that_was_there_in_time_is_read,
                       data::make(all_backends()), backend) {
  open(backend);
  Bytes buffer(9000);
  const Bytes sent = pattern(buffer.size());
  std::size_t asked = 0;
  Request<ssize_t> reading = ours.readv_pdu([&](VectorList& vectors) {
    if (asked < buffer.size()) vectors.add(std::span(buffer).subspan(asked, 3000));
    asked += 3000;
    return 0;
  });
  loop.run_until_idle();
  Request<ssize_t> sending;
  hold_up([&] {
    sending = peer.write(sent);
    reading.set_timeout(limit);
  });
  if (backend.traits.buffers) {
    BOOST_TEST(value_of(reading) == static_cast<ssize_t>(sent.size()));
    BOOST_TEST((buffer == sent));
  } else {
    wait_for(reading);
  }
  reading = {};
  sending = {};
}

BOOST_FIXTURE_TEST_CASE(a_message_that_never_ends_does_not_hold_its_deadline, LateFixture) {
  std::tie(ours, peer) = unix_pair();
  std::byte place{};
  Request<ssize_t> reading = ours.readv_pdu([&place](VectorList& vectors) {
    vectors.add(std::span(&place, 1));
    return 0;
  });
  const Bytes sent = pattern(5000);
  Request<ssize_t> sending;
  loop.run_until_idle();
  hold_up([&] {
    sending = peer.write(sent);
    reading.set_timeout(limit);
  });
  BOOST_TEST(error_of(reading) == ETIMEDOUT);
  BOOST_TEST((take(ours, sent.size()) == sent));
  BOOST_TEST(error_of(sending) == 0);
}

BOOST_FIXTURE_TEST_CASE(a_write_for_which_there_was_room_in_time_leaves, LateFixture) {
  std::tie(ours, peer) = unix_pair();
  const Bytes filling(std::size_t{64} * 1024);
  while (::send(ours.native_handle(), filling.data(), filling.size(), MSG_DONTWAIT) > 0) continue;
  while (::send(ours.native_handle(), filling.data(), 1, MSG_DONTWAIT) > 0) continue;
  Request<ssize_t> writing = ours.write("x");
  loop.run_until_idle();
  BOOST_TEST_REQUIRE(writing.is_in_progress());
  Bytes taken(filling.size());
  hold_up([&] {
    while (::recv(peer.native_handle(), taken.data(), taken.size(), MSG_DONTWAIT) > 0) continue;
    writing.set_timeout(limit);
  });
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(LateFixture, a_monitor_sees_a_break_that_was_there_in_time,
                       data::make(backends_with([](const BackendTraits& traits) { return traits.socket; })),
                       backend) {
  open(backend);
  Request<void> watching = ours.monitor();
  loop.run_until_idle();
  hold_up([&] {
    peer = Stream();
    watching.set_timeout(limit);
  });
  BOOST_TEST(error_of(watching) == EPIPE);
}

BOOST_FIXTURE_TEST_CASE(a_connection_that_was_there_in_time_is_accepted, LateFixture) {
  int err = 0;
  Listener listener = Listener::listen(loop, loopback_v4(), {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  Request<Stream> accepting = listener.accept();
  loop.run_until_idle();
  Request<Stream> connecting;
  hold_up([&] {
    connecting = Stream::connect(loop, listener.local_address());
    connecting.set_timeout(limit);
    accepting.set_timeout(limit);
  });
  BOOST_TEST(error_of(accepting) == 0);
  BOOST_TEST(error_of(connecting) == 0);
}

BOOST_FIXTURE_TEST_CASE(a_datagram_that_was_there_in_time_is_received, LateFixture) {
  int err = 0;
  Datagram receiver = Datagram::udp(loop, loopback_v4(), {}, {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  Datagram sender = Datagram::udp(loop, loopback_v4(), {}, {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  Request<ReceivedDatagram> receiving = receiver.recvfrom();
  loop.run_until_idle();
  Request<ssize_t> sending;
  const Bytes text = bytes_of("in time");
  hold_up([&] {
    sending = sender.sendto(text, receiver.local_address());
    receiving.set_timeout(limit);
  });
  BOOST_TEST(text_of(value_of(receiving).bytes()) == "in time");
  BOOST_TEST(error_of(sending) == 0);
}

BOOST_DATA_TEST_CASE_F(LateFixture, an_operation_gets_what_was_there_for_its_children_in_time,
                       data::make(all_backends()), backend) {
  open(backend);
  Request<std::string> exchange = make_request<Exchange>(loop, ours);
  answer_late(exchange, "answer");
  BOOST_TEST(value_of(exchange) == "answer");
}

BOOST_FIXTURE_TEST_CASE(a_pump_moves_what_was_there_in_time, LateFixture) {
  auto [feed, source] = unix_pair();
  auto [target, sink] = unix_pair();
  Request<PumpResult> pumping = pump(source, target);
  loop.run_until_idle();
  const Bytes sent = pattern(100000);
  Request<ssize_t> writing;
  Request<void> ending;
  hold_up([&, from = &feed] {
    writing = from->write(sent);
    ending = from->shutdown_write();
    pumping.set_timeout(limit);
  });
  BOOST_TEST(error_of(pumping) == 0);
  BOOST_TEST((take(sink, sent.size()) == sent));
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(error_of(ending) == 0);
}

BOOST_DATA_TEST_CASE_F(LateFixture, what_has_no_answer_times_out, data::make(all_backends()), backend) {
  open(backend);
  Bytes buffer(9);
  Request<ssize_t> reading = ours.read(buffer);
  Request<std::string> exchange = make_request<Exchange>(loop, peer);
  loop.run_until_idle();
  hold_up([&] {
    reading.set_timeout(limit);
    exchange.set_timeout(limit);
  });
  BOOST_TEST(error_of(reading) == ETIMEDOUT);
  BOOST_TEST(error_of(exchange) == ETIMEDOUT);
  check_quiet();
}

BOOST_AUTO_TEST_SUITE_END()
