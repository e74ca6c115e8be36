// Writes leave together: how often the kernel is called is counted by standing in for send(2) and sendmsg(2).
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include "support/loop_fixture.hpp"

using namespace tsock;
using tsock::test::bytes_of;
using tsock::test::LoopFixture;
using tsock::test::pattern;
using tsock::test::text_of;

namespace {
std::atomic<int> send_calls{0};
int callbacks = 0;
int callbacks_before_first_send = -1;
const void* last_sent = nullptr;  // with send(), which takes one vector
std::size_t last_size = 0;

void count_send() {
  if (++send_calls == 1) callbacks_before_first_send = callbacks;
}
}  // namespace

extern "C" {
ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  count_send();
  last_sent = bytes;
  last_size = size;
  return syscall(SYS_sendto, fd, bytes, size, flags, nullptr, 0);
}
ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  count_send();
  return syscall(SYS_sendmsg, fd, message, flags);
}
}

BOOST_AUTO_TEST_SUITE(write_gathering)

namespace {

struct GatheringFixture : LoopFixture {
  std::pair<Stream, Stream> streams = unix_pair();
  Stream& out = streams.first;
  Stream& in = streams.second;
  Queue queue{loop};

  /// Lets everything that is queued leave and gives the number of system calls that it took.
  int flush() {
    send_calls = 0;
    loop.run_until_idle();
    return send_calls;
  }
  std::vector<std::byte> receive(std::size_t size) {
    std::vector<std::byte> received(size);
    auto reading = in.read(received);
    BOOST_TEST(error_of(reading) == 0);
    return received;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(small_writes_of_a_queue_leave_in_one_call_in_order, GatheringFixture) {
  std::vector<std::string> texts;
  std::string all;
  for (int i = 0; i < 100; ++i) texts.push_back("message " + std::to_string(i) + ";");
  int completed = 0;
  for (const std::string& text : texts) {
    all += text;
    out.write(queue, text).detach([&completed, size = text.size()](Request<ssize_t>& self) {
      int err = 0;
      if (self.recv(err) == static_cast<ssize_t>(size)) ++completed;
    });
  }
  send_calls = 0;
  BOOST_TEST(send_calls == 0);  // nothing leaves inside write()
  BOOST_TEST(flush() == 1);
  BOOST_TEST(completed == 100);
  BOOST_TEST(text_of(receive(all.size())) == all);
}

BOOST_FIXTURE_TEST_CASE(small_and_large_vectors_leave_together_in_order, GatheringFixture) {
  std::vector<std::vector<std::byte>> parts;
  std::vector<std::byte> all;
  unsigned seed = 0;
  for (const std::size_t size : {1U, 5000U, 3U, 10U, 1024U, 1025U, 20000U, 7U}) {
    parts.push_back(pattern(size, ++seed));
    all.insert(all.end(), parts.back().begin(), parts.back().end());
  }
  std::vector<iovec> vectors;
  for (std::size_t i = 0; i < 4; ++i) vectors.push_back(make_vector(std::span<const std::byte>(parts[i])));
  auto first = out.writev(queue, vectors);
  std::vector<Request<ssize_t>> rest;
  for (std::size_t i = 4; i < parts.size(); ++i) rest.push_back(out.write(queue, parts[i]));
  BOOST_TEST(flush() == 1);
  BOOST_TEST(error_of(first) == 0);
  for (auto& writing : rest) BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST((receive(all.size()) == all));
}

BOOST_FIXTURE_TEST_CASE(small_vectors_that_lie_side_by_side_leave_as_one_without_a_copy, GatheringFixture) {
  const std::vector<std::byte> bytes = pattern(3200);
  std::vector<Request<ssize_t>> writes;
  for (std::size_t i = 0; i < 32; ++i)
    writes.push_back(out.write(queue, std::span(bytes).subspan(i * 100, 100)));
  BOOST_TEST(flush() == 1);
  BOOST_TEST(last_sent == bytes.data());
  BOOST_TEST(last_size == bytes.size());
  for (auto& write : writes) BOOST_TEST(error_of(write) == 0);
  BOOST_TEST((receive(bytes.size()) == bytes));
}

BOOST_FIXTURE_TEST_CASE(small_vectors_that_lie_apart_leave_as_one_copy, GatheringFixture) {
  const std::vector<std::byte> bytes = pattern(3200);
  std::vector<Request<ssize_t>> writes;
  std::vector<std::byte> expected;
  for (std::size_t i = 32; i-- > 0;) {
    const auto part = std::span(bytes).subspan(i * 100, 100);
    writes.push_back(out.write(queue, part));
    expected.insert(expected.end(), part.begin(), part.end());
  }
  BOOST_TEST(flush() == 1);
  BOOST_TEST(last_sent != bytes.data());
  BOOST_TEST(last_size == bytes.size());
  for (auto& write : writes) BOOST_TEST(error_of(write) == 0);
  BOOST_TEST((receive(bytes.size()) == expected));
}

BOOST_FIXTURE_TEST_CASE(answers_to_messages_that_came_together_leave_together, GatheringFixture) {
  // The echo daemon: many messages are read at once, each one is answered in its callback.
  struct Echo {
    Stream& stream;
    Queue& replies;
    Request<Pdu> reading = {};
    int count = 0;
    void next() {
      reading = stream.readv_pdu(framing::line{});
      reading.set_callback([this](Request<Pdu>& done) {
        int err = 0;
        Pdu pdu = done.recv(err);
        if (err != 0) return;
        ++count;
        const auto vector = pdu.vector();
        stream.writev(replies, vector).detach([held = std::move(pdu)](auto&) {});
        next();
      });
    }
  };
  Queue replies(loop);
  Echo echo{in, replies};
  echo.next();
  loop.run_until_idle();
  std::string text;
  for (int i = 0; i < 32; ++i) text += "line " + std::to_string(i) + "\n";
  auto writing = out.write(text);
  BOOST_TEST(flush() == 2);  // the messages, the answers
  BOOST_TEST(echo.count == 32);
  std::vector<std::byte> answers(text.size());
  auto reading = out.read(answers);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(text_of(answers) == text);
  echo.reading = {};
}

BOOST_FIXTURE_TEST_CASE(each_stream_of_a_shared_queue_has_a_call_of_its_own, GatheringFixture) {
  auto other = unix_pair();
  std::vector<Request<ssize_t>> writes;
  for (int i = 0; i < 5; ++i) writes.push_back(out.write(queue, "a"));
  for (int i = 0; i < 5; ++i) writes.push_back(other.first.write(queue, "b"));
  BOOST_TEST(flush() == 2);
  for (auto& writing : writes) BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(text_of(receive(5)) == "aaaaa");
}

BOOST_FIXTURE_TEST_CASE(thousands_of_writes_take_few_calls, GatheringFixture) {
  constexpr int count = 5000;
  const std::string text(20, 'x');
  int completed = 0;
  for (int i = 0; i < count; ++i) out.write(queue, text).detach([&completed](auto&) { ++completed; });
  BOOST_TEST(flush() <= 10);
  BOOST_TEST(completed == count);
  receive(count * text.size());
}

BOOST_FIXTURE_TEST_CASE(a_write_that_was_cancelled_before_the_turn_ends_does_not_leave, GatheringFixture) {
  auto first = out.write(queue, "first ");
  auto cancelled = out.write(queue, "cancelled ");
  auto destroyed = out.write(queue, "destroyed ");
  auto last = out.write(queue, "last");
  cancelled.cancel();
  destroyed = {};
  BOOST_TEST(flush() == 1);
  BOOST_TEST(error_of(cancelled) == ECANCELED);
  BOOST_TEST(error_of(last) == 0);
  BOOST_TEST(text_of(receive(10)) == "first last");
}

namespace {

/// Streams whose other ends are plain descriptors. Each answers every byte that comes.
struct TurnFixture : LoopFixture {
  struct Connection {
    UniqueSocket peer;
    Stream stream;
    std::array<std::byte, 1> byte{};
    Request<ssize_t> reading;
    Request<ssize_t> writing;
  };
  std::vector<Connection> connections{20};
  std::vector<std::byte> answer{1};
  std::chrono::microseconds work{0};

  TurnFixture() {
    for (Connection& connection : connections) {
      std::array<int, 2> ends{};
      BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
      connection.peer = UniqueSocket(ends[0]);
      int err = 0;
      UniqueSocket fd(ends[1]);
      connection.stream = Stream::adopt(loop, fd, {}, err);
      BOOST_TEST_REQUIRE(err == 0);
      read(connection);
    }
    loop.run_until_idle();
  }

  void read(Connection& connection) {
    connection.reading = connection.stream.read(connection.byte);
    connection.reading.set_callback([this, &connection](Request<ssize_t>&) {
      ++callbacks;
      for (const auto end = Clock::now() + work; Clock::now() < end;) {
      }
      connection.writing = connection.stream.write(answer);
      read(connection);
    });
  }

  /// One turn with a byte for each of so many streams, all of which are answered in it. Gives the number of
  /// events whose answers waited until the first of them left.
  int turn(std::size_t events) {
    for (std::size_t i = 0; i < events; ++i)
      BOOST_TEST_REQUIRE(::write(connections[i].peer.get(), "x", 1) == 1);
    callbacks = 0;
    callbacks_before_first_send = -1;
    send_calls = 0;
    loop.run_once();
    BOOST_TEST(callbacks == static_cast<int>(events));
    std::vector<std::byte> got(answer.size());
    for (std::size_t i = 0; i < events; ++i) {
      BOOST_TEST(::recv(connections[i].peer.get(), got.data(), got.size(), MSG_DONTWAIT) ==
                 static_cast<ssize_t>(got.size()));
    }
    return callbacks_before_first_send;
  }

  /// Whether turns of so many events follow each other in which answers wait for one another. Not every time:
  /// what looks like long work on a busy machine is sent without waiting for a while.
  bool keeps_batching(std::size_t events) {
    int before = 0;
    for (int i = 0; i < 300; ++i) {
      const int now = turn(events);
      if (before > 1 && now > 1) return true;
      before = now;
    }
    return false;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_answers_to_eight_events_of_a_turn_leave_together, TurnFixture) {
  BOOST_TEST(turn(20) == 8);
  BOOST_TEST(send_calls == 20);
}

BOOST_FIXTURE_TEST_CASE(answers_of_32_kib_do_not_wait_for_more, TurnFixture) {
  answer = pattern(std::size_t{16} * 1024);
  BOOST_TEST(turn(20) == 2);
}

BOOST_FIXTURE_TEST_CASE(where_turns_bring_several_events_answers_wait_for_one_another_again_and_again,
                        TurnFixture) {
  BOOST_TEST(keeps_batching(2));
  BOOST_TEST(keeps_batching(8));
  // A batch is full with the eighth; the ninth is alone in its batch, but not in its turn.
  BOOST_TEST(keeps_batching(9));
  BOOST_TEST(keeps_batching(17));
}

BOOST_FIXTURE_TEST_CASE(where_turns_bring_one_event_no_answer_waits_for_a_while, TurnFixture) {
  BOOST_TEST(turn(2) == 2);
  BOOST_TEST(turn(1) == 1);
  for (int i = 0; i < 32; ++i) BOOST_TEST(turn(2) == 1);
  BOOST_TEST(keeps_batching(2));
}

BOOST_FIXTURE_TEST_CASE(no_answer_waits_for_long_work_for_a_while, TurnFixture) {
  work = std::chrono::milliseconds(1);
  BOOST_TEST(turn(2) == 2);
  work = std::chrono::milliseconds(0);
  for (int i = 0; i < 32; ++i) BOOST_TEST(turn(2) == 1);
  BOOST_TEST(keeps_batching(2));
}

BOOST_AUTO_TEST_SUITE_END()
