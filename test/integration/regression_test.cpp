// What once went wrong in tsocket, tevent and in programs on them, by the number in Samba's bug tracker where
// there is one. Each must not happen here. Bugs with datagrams have their tests beside the other datagram
// tests.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <thread>

#include "core/loop/loop_core.hpp"
#include "support/descriptors.hpp"
#include "support/loop_fixture.hpp"

using namespace tsock;
using namespace tsock::test;
using namespace std::chrono_literals;

namespace {

struct RegressionFixture : LoopFixture {
  int err = 0;

  Listener listen(const Address& address) {
    Listener listener = Listener::listen(loop, address, {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    return listener;
  }
  static Address any(const char* family) {
    int problem = 0;
    return Address::inet_from_strings(family, family == std::string_view("ipv6") ? "::" : "0.0.0.0", 0,
                                      problem);
  }
  // Fills what the kernel and the stream take, until a write stays in progress.
  Request<ssize_t> blocked_write(Stream& stream, std::span<const std::byte> bytes) {
    for (;;) {
      Request<ssize_t> request = stream.write(bytes);
      loop.run_until_idle();
      if (request.is_in_progress()) return request;
      int problem = 0;
      static_cast<void>(request.recv(problem));
      BOOST_TEST_REQUIRE(problem == 0);
    }
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(regression, RegressionFixture)

BOOST_AUTO_TEST_CASE(bug_7140_a_wildcard_of_the_other_family_connects) {
  Listener v4 = listen(loopback_v4());
  Request<Stream> accepting = v4.accept();
  Request<Stream> connecting = Stream::connect(loop, v4.local_address(), {.local = any("ipv6")});
  const Stream first = fetch(connecting, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(first.local_address().is_inet());
  const Stream first_accepted = fetch(accepting, err);
  if (!has_ipv6()) {
    BOOST_TEST_MESSAGE("the other way round is skipped: this machine has no ::1");
    return;
  }
  Listener v6 = listen(loopback_v6());
  accepting = v6.accept();
  connecting = Stream::connect(loop, v6.local_address(), {.local = any("ipv4")});
  const Stream second = fetch(connecting, err);
  BOOST_TEST(err == 0);
  const Stream second_accepted = fetch(accepting, err);
}

BOOST_AUTO_TEST_CASE(bug_11564_a_connection_that_is_refused_later_says_so) {
  // Bound and not listening: the answer of the peer's kernel comes after connect(2) has returned.
  const UniqueSocket bound = raw_bound(loopback_v4());
  BOOST_TEST(error_of(Stream::connect(loop, local_address_of(bound.get()))) == ECONNREFUSED);
}

BOOST_AUTO_TEST_CASE(bug_13130_posting_while_the_loop_is_destroyed_is_safe) {
  for (int round = 0; round < 50; ++round) {
    auto own = std::make_unique<Loop>();
    std::atomic<bool> posting{true};
    std::atomic<int> ran{0};
    std::thread poster([&loop = *own, &posting, &ran] {
      for (int i = 0; i < 200; ++i) loop.post([&ran] { ++ran; });
      posting = false;
    });
    while (posting) own->run_until_idle();
    // The contract: the Loop outlives the call of post(), not what was posted.
    poster.join();
    own.reset();
    BOOST_TEST(ran <= 200);
  }
}

BOOST_AUTO_TEST_CASE(bug_15202_a_blocked_write_to_a_peer_that_ended_does_not_spin) {
  for (const StreamKind kind : {StreamKind::tcp, StreamKind::unix_socket}) {
    BOOST_TEST_CONTEXT(kind) {
      auto [ours, peer] = stream_pair(kind);
      const auto bytes = pattern(std::size_t{1} << 20U);
      Request<ssize_t> writing = blocked_write(ours, bytes);
      std::array<std::byte, 1> byte{};
      Request<ssize_t> reading = ours.read(byte);
      BOOST_TEST(error_of(peer.shutdown_write()) == 0);
      BOOST_TEST(error_of(reading) == EPIPE);
      loop.run_until_idle();
      // The end of the peer stays "readable" in the kernel; the loop must sleep all the same.
      const std::uint64_t before = loop.metrics().events;
      BOOST_TEST(error_of(loop.sleep(30ms)) == 0);
      BOOST_TEST(loop.metrics().events - before <= 3U);
      BOOST_TEST(writing.is_in_progress());
    }
  }
}

BOOST_AUTO_TEST_CASE(bugs_15182_15125_15798_what_a_callback_holds_goes_with_its_completion) {
  auto [ours, peer] = unix_pair();
  const auto held = std::make_shared<int>(0);
  auto reading = ours.readv_pdu(framing::u32be{});
  reading.set_callback([held](auto&) {});
  BOOST_TEST(error_of(peer.write(std::string_view("\0\0\0\1x", 5))) == 0);
  wait_for(reading);
  BOOST_TEST(held.use_count() == 1);
  const std::size_t with_message = loop.core().live_blocks();
  static_cast<void>(reading.recv(err));  // the message goes with the temporary
  BOOST_TEST(loop.core().live_blocks() < with_message);
}

BOOST_AUTO_TEST_CASE(a_descriptor_number_that_comes_again_gets_no_event_of_the_old_stream) {
  for (int round = 0; round < 20; ++round) {
    auto [old_ours, old_peer] = unix_pair();
    std::array<std::byte, 4> bytes{};
    Request<ssize_t> old_reading = old_ours.read(bytes);
    loop.run_until_idle();  // watched
    // An event is on its way for the number; then the number goes and comes back as another socket.
    BOOST_TEST(::send(old_peer.native_handle(), "late", 4, 0) == 4);
    const int number = old_ours.native_handle();
    old_ours = Stream();
    auto [ours, peer] = unix_pair();
    BOOST_TEST((ours.native_handle() == number || peer.native_handle() == number));
    std::array<std::byte, 4> fresh{};
    Request<ssize_t> reading = ours.read(fresh);
    BOOST_TEST(error_of(old_reading) == ECANCELED);
    loop.run_until_idle();
    BOOST_TEST(reading.is_in_progress());
    BOOST_TEST(error_of(peer.write("mine")) == 0);
    BOOST_TEST(error_of(reading) == 0);
    BOOST_TEST(text_of(fresh) == "mine");
  }
}

BOOST_AUTO_TEST_CASE(commit_7e095eb_writing_to_a_closed_peer_is_one_errno_on_all_streams) {
  for (const StreamKind kind : {StreamKind::tcp, StreamKind::unix_socket, StreamKind::memory}) {
    BOOST_TEST_CONTEXT(kind) {
      auto [ours, peer] = stream_pair(kind);
      peer = Stream();
      std::array<std::byte, 1> byte{};
      BOOST_TEST(error_of(ours.read(byte)) == EPIPE);
      // A first write may still leave; TCP answers it with a reset.
      for (int i = 0; i < 100 && err == 0; ++i) err = error_of(ours.write("x"));
      BOOST_TEST((err == EPIPE || (kind == StreamKind::tcp && err == ECONNRESET)), err);
      BOOST_TEST(error_of(ours.write("x")) == err);
      err = 0;
    }
  }
}

// SSSD's: the function of the user frees the request, the connection, or everything.
BOOST_AUTO_TEST_CASE(a_callback_frees_its_request_its_stream_and_its_session) {
  struct Session {
    Stream stream;
    Queue queue;
    std::array<std::byte, 1> byte{};
    Request<ssize_t> reading{};
    Request<ssize_t> writing{};
  };
  for (const bool with_error : {false, true}) {
    auto [ours, peer] = unix_pair();
    auto session = std::make_unique<Session>(Session{std::move(ours), Queue(loop)});
    int calls = 0;
    session->reading = session->stream.read(session->byte);
    session->writing = session->stream.write(session->queue, "pending");
    session->reading.set_callback([&](Request<ssize_t>&) {
      ++calls;
      session.reset();
    });
    session->writing.set_callback([&](Request<ssize_t>&) { ++calls; });
    if (with_error) {
      peer = Stream();
    } else {
      BOOST_TEST(error_of(peer.write("x")) == 0);
    }
    BOOST_TEST(run_until([&] { return session == nullptr; }));
    loop.run_until_idle();
    BOOST_TEST(calls >= 1);
    BOOST_TEST(calls <= 2);
  }
}

BOOST_AUTO_TEST_SUITE_END()
