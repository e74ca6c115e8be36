// No heap allocation per operation in steady state. This program's operator new counts.
#include <array>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <new>
#include <tsock/coroutine.hpp>
#include <utility>
#include <vector>

#include "core/loop/pool.hpp"
#include "support/loop_fixture.hpp"
#include "support/sanitizer.hpp"

using namespace std::chrono_literals;
using namespace tsock;
using tsock::test::LoopFixture;

namespace {
std::atomic<std::size_t> allocations{0};
}  // namespace

// Sanitizers have operators of their own.
#if TSOCK_TEST_ADDRESS_SANITIZER || TSOCK_TEST_THREAD_SANITIZER
#define TSOCK_ALLOCATIONS_NOT_COUNTED 1
#endif

#if !defined(TSOCK_ALLOCATIONS_NOT_COUNTED)
void* operator new(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size != 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  ++allocations;
  if (void* const memory = std::aligned_alloc(static_cast<std::size_t>(alignment), size)) return memory;
  throw std::bad_alloc();
}
// Compiled into their callers, GCC takes free() for the counterpart of the operator new that it sees there.
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }
#endif

BOOST_AUTO_TEST_SUITE(allocation)

namespace {

struct AllocationFixture : LoopFixture {
  std::pair<Stream, Stream> streams = unix_pair();
  Stream& a = streams.first;
  Stream& b = streams.second;
  Queue queue{loop};
  int failures = 0;

  /// Waits without Boost.Test's macros, which may allocate.
  template <class T>
  void end(Request<T> request) {
    int err = 0;
    if (!request.wait(err)) ++failures;
    static_cast<void>(request.recv(err));
    if (err != 0) ++failures;
  }
  /// What `round()` allocates once everything has found its size: nothing, or no more than so many blocks.
  template <class F>
  void expect_none(F round, std::size_t but = 0) {
#if defined(TSOCK_ALLOCATIONS_NOT_COUNTED)
    static_cast<void>(but);
    for (int i = 0; i < 10; ++i) round();
    BOOST_TEST_MESSAGE("not counted: sanitizers have an operator new of their own");
#else
    for (int i = 0; i < 200; ++i) round();
    const std::size_t before = allocations;
    for (int i = 0; i < 1000; ++i) round();
    const std::size_t counted = allocations - before;
    BOOST_TEST(counted <= 1000 * but);
#endif
    BOOST_TEST(failures == 0);
  }
};

constexpr framing::u8 short_messages{};

Task<> serve(Stream& stream, int& failures) {
  for (;;) {
    auto [message, err] = co_await stream.readv_pdu(short_messages);
    if (err == ECANCELED) co_return;
    const auto [size, write_error] = co_await stream.writev(message.vector());
    if (err != 0 || write_error != 0) ++failures;
  }
}

Task<std::size_t> ask(Stream& stream) {
  const auto [size, write_error] = co_await stream.write_pdu(short_messages, "question");
  if (write_error != 0) co_return Failure{write_error};
  const auto [answer, err] = co_await with_timeout(stream.readv_pdu(short_messages), 1h);
  if (err != 0) co_return Failure{err};
  co_return answer.size();
}

Task<std::size_t> ask_twice(Stream& stream) {
  const auto [first, err] = co_await ask(stream);
  if (err != 0) co_return Failure{err};
  const auto [second, other] = co_await ask(stream);
  if (other != 0) co_return Failure{other};
  co_return first + second;
}

}  // namespace

#if !defined(TSOCK_ALLOCATIONS_NOT_COUNTED)
BOOST_AUTO_TEST_CASE(the_counter_counts) {
  const std::size_t before = allocations;
  const auto memory = std::make_unique<int>(1);
  BOOST_TEST(allocations - before >= 1U);
  BOOST_TEST(*memory == 1);
}
#endif

BOOST_FIXTURE_TEST_CASE(readv_and_writev, AllocationFixture) {
  std::array<std::array<std::byte, 100>, 10> source{};
  std::array<std::array<std::byte, 100>, 10> target{};
  std::array<iovec, 10> out{};
  std::array<iovec, 10> in{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = make_vector(std::span<const std::byte>(source[i]));
    in[i] = make_vector(std::span<std::byte>(target[i]));
  }
  expect_none([&] {
    for (const std::size_t count : {1U, 2U, 10U}) {
      auto reading = b.readv(std::span(in).first(count));
      int calls = 0;
      reading.set_callback([&calls](auto&) { ++calls; });
      end(a.writev(std::span(out).first(count)));
      end(std::move(reading));
      if (calls != 1) ++failures;
    }
  });
}

BOOST_FIXTURE_TEST_CASE(large_writes_that_wait_for_the_reader, AllocationFixture) {
  std::vector<std::byte> source(1000000);
  std::vector<std::byte> target(source.size());
  expect_none([&] {
    auto writing = a.write(source);
    end(b.read(target));
    end(std::move(writing));
  });
}

BOOST_FIXTURE_TEST_CASE(framed_messages, AllocationFixture) {
  expect_none([&] {
    auto writing = a.write("\x05hello\x03hey\x01x");
    for (int i = 0; i < 3; ++i) end(b.readv_pdu(framing::u8{}));
    end(std::move(writing));
    auto lines = a.write("a line\r\nanother line\r\n");
    end(b.readv_pdu(framing::line{}));
    end(b.readv_pdu(framing::line{}));
    end(std::move(lines));
  });
}

BOOST_FIXTURE_TEST_CASE(a_coroutine_that_goes_on, AllocationFixture) {
  Request<void> serving = start(loop, serve(b, failures));
  expect_none([&] {
    auto writing = a.write("\x05hello");
    end(a.readv_pdu(short_messages));
    end(std::move(writing));
  });
  serving.cancel();
  end(std::move(serving));
}

BOOST_FIXTURE_TEST_CASE(coroutines_that_begin_allocate_their_frames_alone, AllocationFixture) {
  Request<void> serving = start(loop, serve(b, failures));
  expect_none([&] { end(start(loop, ask(a))); }, 1);
  expect_none([&] { end(start(loop, ask_twice(a))); }, 3);
  serving.cancel();
  end(std::move(serving));
}

BOOST_FIXTURE_TEST_CASE(queued_writes_and_reads, AllocationFixture) {
  Queue reads(loop);
  expect_none([&] {
    int completed = 0;
    for (int i = 0; i < 16; ++i) {
      b.readv_pdu(reads, framing::u8{}).detach([&completed](auto&) { ++completed; });
      a.write(queue, "\x03hey").detach([&completed](auto&) { ++completed; });
    }
    while (completed != 32) loop.run_once();
  });
}

BOOST_FIXTURE_TEST_CASE(queue_entries, AllocationFixture) {
  expect_none([&] {
    auto turn = queue.wait();
    int err = 0;
    if (!turn.wait(err)) ++failures;
    QueueHold hold = turn.recv(err);
    auto next = queue.submit([this] { return loop.sleep(0ns); });
    hold.release();
    end(std::move(next));
  });
}

BOOST_FIXTURE_TEST_CASE(sleeps_deadlines_and_cancels, AllocationFixture) {
  std::array<std::byte, 4> buffer{};
  expect_none([&] {
    auto reading = b.read(buffer);
    reading.set_timeout(1h);
    reading.cancel();
    int err = 0;
    if (!reading.wait(err)) ++failures;
    end(loop.sleep(0ns));
    auto abandoned = loop.sleep(1h);
    auto other = b.read_some(buffer);
    other.set_timeout(1h);
  });
}

BOOST_FIXTURE_TEST_CASE(operations_of_ones_own, AllocationFixture) {
  struct Twice : Operation<int> {
    void start() override {
      first_ = loop().sleep(0ns);
      first_.set_callback([this](auto&) {
        second_ = loop().sleep(0ns);
        second_.set_callback([this](auto&) { done(2); });
      });
    }
    Request<void> first_;
    Request<void> second_;
  };
  expect_none([&] { end(make_request<Twice>(loop)); });
}

BOOST_FIXTURE_TEST_CASE(an_echo_with_many_messages_in_flight, AllocationFixture) {
  struct Echo {
    Stream& stream;
    Queue replies;
    Request<Pdu> reading = {};
    void next() {
      reading = stream.readv_pdu(framing::u32be{});
      reading.set_callback([this](Request<Pdu>& request) {
        int err = 0;
        Pdu pdu = request.recv(err);
        if (err != 0) return;
        const auto vector = pdu.vector();
        stream.writev(replies, vector).detach([held = std::move(pdu)](auto&) {});
        next();
      });
    }
  };
  Echo echo{b, Queue(loop)};
  echo.next();
  std::vector<std::byte> message(68);
  message[3] = std::byte{64};
  expect_none([&] {
    int answered = 0;
    for (int i = 0; i < 8; ++i) a.write(queue, message).detach();
    while (answered != 8) {
      end(a.readv_pdu(framing::u32be{}));
      ++answered;
    }
  });
  echo.reading = {};
}

namespace {

/// Two datagram sockets of the kernel, one of them with everything that can be asked for.
struct DatagramAllocationFixture : AllocationFixture {
  int err = 0;
  Datagram plain = Datagram::udp(loop, tsock::test::loopback_v4(), {}, {}, err);
  Datagram curious = Datagram::udp(loop, tsock::test::loopback_v4(), {}, {.receive_info = true}, err);
  std::array<std::byte, 300> bytes{};

  void send(Datagram& from, const Datagram& to, std::size_t count) {
    const Address address = to.local_address();
    for (std::size_t i = 0; i < count; ++i)
      from.sendto(queue, std::span<const std::byte>(bytes).first(i), address).detach();
  }
  void receive(Datagram& at, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) end(at.recvfrom());
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(datagrams_into_the_callers_buffer, DatagramAllocationFixture) {
  std::array<std::byte, 200> buffer{};
  expect_none([&] {
    // Some of them are cut off.
    send(plain, curious, 20);
    for (std::size_t i = 0; i < 20; ++i)
      end(curious.recvfrom(std::span(buffer).first(i % 2 == 0 ? buffer.size() : i / 2)));
    send(curious, plain, 20);
    for (int i = 0; i < 20; ++i) end(plain.recvfrom(buffer));
  });
}

BOOST_FIXTURE_TEST_CASE(datagrams_in_memory_of_the_library, DatagramAllocationFixture) {
  expect_none([&] {
    send(plain, curious, 20);
    receive(curious, 20);
    send(curious, plain, 20);
    receive(plain, 20);
    // What is read ahead and outlives the turn, and what is given back.
    send(plain, curious, 5);
    receive(curious, 1);
    { const auto abandoned = curious.recvfrom(); }
    receive(curious, 4);
  });
}

BOOST_FIXTURE_TEST_CASE(a_datagram_that_a_callback_keeps_until_its_reply_has_left,
                        DatagramAllocationFixture) {
  expect_none([&] {
    send(plain, curious, 10);
    int answered = 0;
    for (int i = 0; i < 10; ++i) {
      auto receiving = curious.recvfrom();
      if (!receiving.wait(err)) ++failures;
      ReceivedDatagram datagram = receiving.recv(err);
      const auto reply = std::as_const(datagram).bytes();
      curious.sendto(queue, reply, datagram.source())
          .detach([&answered, datagram = std::move(datagram)](auto&) { ++answered; });
    }
    while (answered != 10) loop.run_once();
    receive(plain, 10);
  });
}

BOOST_FIXTURE_TEST_CASE(many_datagrams_in_a_vector_that_is_used_again, DatagramAllocationFixture) {
  std::vector<ReceivedDatagram> received;
  std::vector<OutgoingDatagram> list(40, OutgoingDatagram{bytes, plain.local_address()});
  expect_none([&] {
    auto sending = curious.send_many(list);
    for (std::size_t left = list.size(); left != 0; left -= received.size()) {
      auto receiving = plain.recv_many(64, std::move(received));
      if (!receiving.wait(err)) ++failures;
      received = receiving.recv(err);
    }
    end(std::move(sending));
  });
}

BOOST_AUTO_TEST_CASE(datagrams_in_memory) {
  AllocationFixture fixture;
  auto [left, right] = memory_datagram_pair(fixture.loop, {.duplication = 0.1, .reorder = 0.1});
  std::array<std::byte, 100> bytes{};
  fixture.expect_none([&, &near = left, &far = right] {
    for (int i = 0; i < 10; ++i) near.sendto(fixture.queue, bytes).detach();
    for (int i = 0; i < 10; ++i) fixture.end(far.recvfrom(bytes));
    fixture.loop.run_until_idle();
    // What was doubled.
    for (;;) {
      auto rest = far.recvfrom(bytes);
      fixture.loop.run_until_idle();
      if (rest.is_in_progress()) break;
    }
  });
}

BOOST_AUTO_TEST_SUITE_END()
