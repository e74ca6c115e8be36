// A datagram that was read ahead and a send that may start now take a short way, in states that were kept.
// What is unusual has to be told from that.
#include <cerrno>
#include <string>
#include <vector>

#include "core/datagram/datagram_core.hpp"
#include "core/loop/loop_core.hpp"
#include "core/loop/pool.hpp"
#include "support/loop_fixture.hpp"

using namespace tsock;
using tsock::test::loopback_v4;
using tsock::test::LoopFixture;
using tsock::test::text_of;

namespace {

struct DatagramShortWays : LoopFixture {
  Datagram out = open();
  Datagram in = open();
  Queue queue{loop};

  Datagram open() {
    int err = 0;
    Datagram made = Datagram::udp(loop, loopback_v4(), {}, {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    return made;
  }
  void send(const std::vector<std::string>& texts) {
    std::vector<Request<ssize_t>> sends;
    for (const std::string& text : texts) sends.push_back(out.sendto(queue, text, in.local_address()));
    for (auto& request : sends) BOOST_TEST(error_of(request) == 0);
  }
  std::string take() {
    Request<ReceivedDatagram> receiving = in.recvfrom();
    int err = 0;
    const ReceivedDatagram datagram = fetch(receiving, err);
    BOOST_TEST(err == 0);
    return text_of(datagram.bytes());
  }
  /// Where the pool keeps anything.
  bool keeps_states() {
    const detail::StateCache& cache = loop.core().state_cache();
    return detail::Pool::passes_through() ||
           (cache.first<detail::RecvfromState>() != nullptr && cache.first<detail::SendtoState>() != nullptr);
  }
  /// Runs `body` in the callback of a receive that has left three more in the batch, with states that are
  /// kept.
  template <class F>
  void with_a_batch(F body) {
    send({"1", "2"});
    BOOST_TEST(take() == "1");
    BOOST_TEST(take() == "2");
    {
      std::vector<Datagram> others;
      std::vector<Request<ReceivedDatagram>> receives;
      for (int i = 0; i < 4; ++i) receives.push_back(others.emplace_back(open()).recvfrom());
    }
    send({"a", "b", "c", "d"});
    bool ran = false;
    Request<ReceivedDatagram> first = in.recvfrom();
    first.set_callback([&](Request<ReceivedDatagram>& request) {
      int err = 0;
      BOOST_TEST(text_of(request.recv(err).bytes()) == "a");
      BOOST_TEST(in.pending_datagrams() == 3U);
      BOOST_TEST(keeps_states());
      body();
      ran = true;
    });
    BOOST_TEST(run_until([&] { return ran; }));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(datagram_short_way, DatagramShortWays)

BOOST_AUTO_TEST_CASE(a_receive_that_is_destroyed_gives_its_datagram_back_in_order) {
  with_a_batch([&] { static_cast<void>(in.recvfrom()); });
  BOOST_TEST(take() == "b");
  BOOST_TEST(take() == "c");
  BOOST_TEST(take() == "d");
}

BOOST_AUTO_TEST_CASE(a_second_receive_is_refused_also_where_a_datagram_waits) {
  Request<ReceivedDatagram> second;
  Request<ReceivedDatagram> third;
  with_a_batch([&] {
    second = in.recvfrom();
    third = in.recvfrom();
    BOOST_TEST(second.transferred() == 1U);
    BOOST_TEST(second.is_in_progress());
  });
  BOOST_TEST(error_of(third) == EBUSY);
  int err = 0;
  const ReceivedDatagram datagram = fetch(second, err);
  BOOST_TEST(text_of(datagram.bytes()) == "b");
  BOOST_TEST((datagram.source() == out.local_address()));
  BOOST_TEST(take() == "c");
  BOOST_TEST(take() == "d");
}

BOOST_AUTO_TEST_CASE(a_datagram_that_was_given_back_comes_before_the_batch) {
  std::vector<std::string> order;
  with_a_batch([&] {
    static_cast<void>(in.recvfrom());
    in.recvfrom().detach([&](Request<ReceivedDatagram>& request) {
      int err = 0;
      order.push_back(text_of(request.recv(err).bytes()));
    });
  });
  BOOST_TEST(run_until([&] { return !order.empty(); }));
  BOOST_TEST(order.front() == "b");
  BOOST_TEST(take() == "c");
  BOOST_TEST(take() == "d");
}

BOOST_AUTO_TEST_CASE(a_send_in_a_callback_is_checked_as_any_other) {
  Request<ssize_t> wrong;
  Request<ssize_t> first;
  Request<ssize_t> second;
  Request<ssize_t> behind;
  Request<ssize_t> closed;
  with_a_batch([&] {
    wrong = out.sendto("x", Address::unix_unnamed());
    first = out.sendto("y", in.local_address());
    second = out.sendto("z", in.local_address());
    behind = out.sendto(queue, "q", in.local_address());
    Datagram gone = open();
    BOOST_TEST(gone.is_open());
    auto disconnecting = gone.disconnect();
    closed = gone.sendto("c", in.local_address());
  });
  BOOST_TEST(error_of(wrong) == EINVAL);
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(error_of(second) == EBUSY);
  BOOST_TEST(error_of(behind) == EBUSY);
  BOOST_TEST(error_of(closed) != 0);
  for (const char* const text : {"b", "c", "d", "y"}) BOOST_TEST(take() == text);
}

BOOST_AUTO_TEST_CASE(a_send_that_is_destroyed_before_it_left_is_not_sent) {
  with_a_batch([&] {
    static_cast<void>(out.sendto(queue, "x", in.local_address()));
    static_cast<void>(out.sendto("y", in.local_address()));
    BOOST_TEST(queue.length() == 0U);
  });
  send({"last"});
  for (const char* const text : {"b", "c", "d", "last"}) BOOST_TEST(take() == text);
}

BOOST_AUTO_TEST_SUITE_END()
