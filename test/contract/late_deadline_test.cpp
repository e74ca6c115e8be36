// A deadline does not beat what is there by then, also when a callback held the loop up past it.
#include <sys/socket.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "contract/scripted_backend.hpp"
#include "contract/stream_fixture.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

auto told_at_once() {
  return paths_with([](const BackendTraits& traits) { return !traits.in_thread; }, reading_paths());
}

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
  static constexpr std::size_t vectors_of_one = 1000;
  /// Reads `sent` into that many vectors, all of a byte but the last one.
  void read_late(Stream& stream, const Bytes& sent, std::size_t count) {
    Bytes buffer(sent.size());
    std::vector<iovec> vectors;
    for (std::size_t i = 1; i < count; ++i)
      vectors.push_back(make_vector(std::span(buffer).subspan(i - 1, 1)));
    vectors.push_back(make_vector(std::span(buffer).subspan(count - 1)));
    Request<ssize_t> reading = stream.readv(vectors);
    answer_late(reading, text_of(sent));
    BOOST_TEST(value_of(reading) == static_cast<ssize_t>(sent.size()));
    BOOST_TEST((buffer == sent));
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

BOOST_DATA_TEST_CASE_F(LateFixture, a_read_gets_what_was_there_in_time, data::make(told_at_once()), backend) {
  open(backend);
  Bytes buffer(9);
  Request<ssize_t> whole = ours.read(buffer);
  answer_late(whole, "123456789");
  BOOST_TEST(value_of(whole) == 9);
  Request<ssize_t> some = ours.read_some(buffer);
  answer_late(some, "x");
  BOOST_TEST(value_of(some) == 1);
}

BOOST_DATA_TEST_CASE_F(LateFixture, a_message_that_was_there_in_time_is_read, data::make(told_at_once()),
                       backend) {
  open(backend);
  Request<Pdu> message = ours.readv_pdu(framing::u8{.max_body = 100});
  answer_late(message, "\b12345678");
  BOOST_TEST(text_of(value_of(message).body()) == "12345678");
  Request<Pdu> line = ours.readv_pdu(framing::line{.max_body = 100});
  answer_late(line, "12345678\n");
  BOOST_TEST(text_of(value_of(line).body()) == "12345678");
}

// Some take a call for each byte of a line, or for a few bytes of anything.
BOOST_DATA_TEST_CASE_F(LateFixture, what_was_there_in_time_is_read_however_many_calls_it_takes,
                       data::make(paths_with(
                           [](const BackendTraits& traits) {
                             return traits.floors == 0 || traits.max_transfer > 100;  // a record at a time
                           },
                           told_at_once())),
                       backend) {
  open(backend);
  Request<Pdu> line = ours.readv_pdu(framing::line{.max_body = 1000});
  answer_late(line, std::string(999, 'x') + '\n');
  BOOST_TEST((text_of(value_of(line).body()) == std::string(999, 'x')));
  const Bytes sent = pattern(20000);
  read_late(ours, sent, vectors_of_one);
  read_late(ours, sent, 1);
  Request<Pdu> message = ours.readv_pdu(framing::u16be{.max_body = 0x1234});
  answer_late(message, "\x12\x34" + text_of(std::span(sent).first(0x1234)));
  const Pdu pdu = value_of(message);
  BOOST_TEST((text_of(pdu.body()) == text_of(std::span(sent).first(0x1234))));
}

BOOST_FIXTURE_TEST_CASE(a_megabyte_in_small_pieces_is_in_time, LateFixture) {
  std::tie(ours, peer) = memory_stream_pair(loop, {.max_transfer = 4096});
  read_late(ours, pattern(std::size_t{1} << 20), 1);
}

// Each of them takes a turn where nothing is read ahead.
BOOST_DATA_TEST_CASE_F(LateFixture, what_waits_in_a_queue_gets_what_was_there_in_time,
                       data::make(paths_with([](const BackendTraits& traits) {
                         return !traits.read_ahead;
                       })) *
                           data::make({3, 1000}),
                       backend, count) {
  open(backend);
  Queue queue(loop, "reads");
  std::string text;
  std::vector<Request<Pdu>> messages;
  for (int i = 0; i < count; ++i) {
    messages.push_back(ours.readv_pdu(queue, framing::line{.max_body = 10}));
    text += "x\n";
  }
  Request<QueueHold> behind = queue.wait();
  loop.run_until_idle();
  Request<ssize_t> sending;
  hold_up([&] {
    sending = peer.write(text);
    for (Request<Pdu>& message : messages) message.set_timeout(limit);
    if (count == 3) behind.set_timeout(limit);
  });
  int failed = 0;
  for (Request<Pdu>& message : messages) failed += error_of(message) != 0 ? 1 : 0;
  BOOST_TEST(failed == 0);
  BOOST_TEST(error_of(behind) == 0);
  BOOST_TEST(error_of(sending) == 0);
}

BOOST_DATA_TEST_CASE_F(LateFixture, an_end_that_was_there_in_time_is_told, data::make(paths()), backend) {
  if (!backend.traits.half_closes_alone()) return;
  open(backend);
  Request<Pdu> line = ours.readv_pdu(framing::line{.max_body = 100});
  loop.run_until_idle();
  Request<ssize_t> sending;
  Request<void> ending;
  hold_up([&] {
    sending = peer.write("without an end");
    ending = peer.shutdown_write();
    line.set_timeout(limit);
  });
  BOOST_TEST(error_of(line) == EPIPE);
  BOOST_TEST(line.transferred() == 14U);
  BOOST_TEST(error_of(sending) == 0);
  BOOST_TEST(error_of(ending) == 0);
}

BOOST_DATA_TEST_CASE_F(LateFixture, a_message_by_next_vector_function_that_was_there_in_time_is_read,
                       data::make(paths()), backend) {
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

// Every turn moves something, and finds as much again.
BOOST_DATA_TEST_CASE_F(LateFixture, a_message_that_is_fed_for_ever_does_not_hold_its_deadline,
                       data::make({false, true}), by_function) {
  std::tie(ours, peer) = unix_pair();
  BOOST_TEST_REQUIRE(ours.set_options({.max_read_ahead = 0}) == 0);
  std::byte place{};
  Request<ssize_t> reading;
  Request<Pdu> line;
  if (by_function) {
    reading = ours.readv_pdu([&place](VectorList& vectors) {
      vectors.add(std::span(&place, 1));
      return 0;
    });
  } else {
    line = ours.readv_pdu(framing::line{.max_body = 1U << 20});
  }
  const Bytes piece = pattern(200);
  Bytes sent;
  const auto feed = [&] {
    if (::send(peer.native_handle(), piece.data(), 100, MSG_DONTWAIT) != 100) return;  // there is enough
    sent.insert(sent.end(), piece.begin(), piece.begin() + 100);
  };
  loop.run_until_idle();
  hold_up([&] {
    feed();
    if (by_function)
      reading.set_timeout(limit);
    else
      line.set_timeout(limit);
  });
  for (unsigned turns = 0; reading.is_in_progress() || line.is_in_progress(); ++turns) {
    feed();
    loop.run_once();
    BOOST_TEST_REQUIRE(turns < 1000U);
  }
  BOOST_TEST((by_function ? error_of(reading) : error_of(line)) == ETIMEDOUT);
  BOOST_TEST((take(ours, sent.size()) == sent));
}

BOOST_FIXTURE_TEST_CASE(a_backend_that_tells_of_bytes_and_gives_none_does_not_hold_a_deadline, LateFixture) {
  const auto script = make_script({});
  ours = scripted_stream(loop, script);
  Bytes buffer(10);
  Request<ssize_t> reading = ours.read(buffer);
  loop.run_until_idle();
  script->input = "no event tells";
  hold_up([&] { reading.set_timeout(limit); });
  BOOST_TEST(error_of(reading) == ETIMEDOUT);
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
                       data::make(paths_with([](const BackendTraits& traits) { return traits.socket; })),
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

// As many calls as are made in a turn do not suffice for any of these.
BOOST_FIXTURE_TEST_CASE(a_write_in_many_pieces_that_nobody_holds_up_leaves, LateFixture) {
  const auto script = make_script({.most_per_write = 1});
  ours = scripted_stream(loop, script);
  Request<ssize_t> writing;
  Request<void> ending;
  const std::string text(50, 'x');
  hold_up([&] {
    writing = ours.write(text);
    ending = ours.shutdown_write();
    writing.set_timeout(limit);
    ending.set_timeout(limit);
  });
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(error_of(ending) == 0);
  BOOST_TEST((script->output == text));
}

BOOST_FIXTURE_TEST_CASE(many_datagrams_that_nobody_holds_up_leave, LateFixture) {
  int err = 0;
  Datagram sender = Datagram::udp(loop, loopback_v4(), {}, {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  const Address nobody = sender.local_address();
  const Bytes text = bytes_of("x");
  const std::vector<OutgoingDatagram> datagrams(1000, OutgoingDatagram{text, nobody});
  Request<ssize_t> sending;
  hold_up([&] {
    sending = sender.send_many(datagrams);
    sending.set_timeout(limit);
  });
  BOOST_TEST(value_of(sending) == 1000);
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
                       data::make(paths()), backend) {
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

BOOST_FIXTURE_TEST_CASE(a_pump_moves_what_was_there_in_time_in_however_many_steps, LateFixture) {
  auto [feed, source] = memory_stream_pair(loop, {.max_transfer = 4096});
  auto [target, sink] = memory_stream_pair(loop, {.max_transfer = 4096});
  Request<PumpResult> pumping = pump(source, target);
  const Bytes sent = pattern(std::size_t{4} << 20);
  Bytes arrived(sent.size());
  Request<ssize_t> reading = sink.read(arrived);
  loop.run_until_idle();
  Request<ssize_t> writing;
  Request<void> ending;
  hold_up([&, from = &feed] {
    writing = from->write(sent);
    ending = from->shutdown_write();
    pumping.set_timeout(limit);
  });
  BOOST_TEST(error_of(pumping) == 0);
  BOOST_TEST(value_of(reading) == static_cast<ssize_t>(sent.size()));
  BOOST_TEST((arrived == sent));
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(error_of(ending) == 0);
}

BOOST_FIXTURE_TEST_CASE(a_pump_that_is_fed_for_ever_does_not_hold_its_deadline, LateFixture) {
  const auto source_script = make_script({.input = std::string(1000, 'x')});
  const auto target_script = make_script({});
  ours = scripted_stream(loop, source_script);
  peer = scripted_stream(loop, target_script);
  Request<PumpResult> pumping = pump(ours, peer);
  hold_up([&] { pumping.set_timeout(limit); });
  unsigned turns = 0;
  while (pumping.is_in_progress()) {
    source_script->input.resize(1000, 'x');
    source_script->events->on_readable();
    loop.run_once();
    BOOST_TEST_REQUIRE(++turns < 10000U);
  }
  BOOST_TEST(error_of(pumping) == ETIMEDOUT);
}

BOOST_DATA_TEST_CASE_F(LateFixture, what_has_no_answer_times_out, data::make(paths()), backend) {
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
