// What never ends on one stream leaves room for others.
#include <algorithm>
#include <memory>
#include <tsock/stream_backend.hpp>

#include "contract/stream_fixture.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

constexpr std::size_t flood_step = 1000;

struct FloodCounts {
  std::size_t step = flood_step;
  bool short_is_final = false;
  Readiness readiness = Readiness::later;
  bool takes_nothing = false;
  StreamEvents* events = nullptr;
  unsigned reads = 0;
  unsigned writes = 0;
  unsigned asked_for_readable = 0;
};

/// Always has bytes and always takes bytes, some at a time.
class FloodBackend final : public StreamBackend {
 public:
  explicit FloodBackend(std::shared_ptr<FloodCounts> counts) noexcept : counts_(std::move(counts)) {}

  void attach(StreamEvents& events) noexcept override { counts_->events = &events; }
  ssize_t try_readv(std::span<const iovec> vectors, int& /*err*/) noexcept override {
    ++counts_->reads;
    return static_cast<ssize_t>(std::min(counts_->step, vectors[0].iov_len));
  }
  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override {
    ++counts_->writes;
    if (counts_->takes_nothing) {
      err = EAGAIN;
      return -1;
    }
    return static_cast<ssize_t>(std::min(counts_->step, vectors[0].iov_len));
  }
  int try_shutdown_write() noexcept override { return 0; }
  int try_disconnect(Linger& /*linger*/) noexcept override { return 0; }
  void abort() noexcept override {}
  Readiness want_readable() noexcept override {
    ++counts_->asked_for_readable;
    return counts_->readiness;
  }
  Readiness want_writable() noexcept override { return counts_->readiness; }
  void want_broken() noexcept override {}
  std::size_t pending_bytes(int& /*err*/) noexcept override { return flood_step; }
  [[nodiscard]] StreamTraits traits() const noexcept override {
    return {.short_is_final = counts_->short_is_final};
  }

 private:
  std::shared_ptr<FloodCounts> counts_;
};

struct FloodFixture : StreamFixture {
  std::shared_ptr<FloodCounts> counts = std::make_shared<FloodCounts>();
  Bytes bytes = Bytes(100 * flood_step);

  FloodFixture() { open_flood(); }
  /// The read gets four steps in each turn from there on, and its end.
  void check_four_reads_a_turn(Request<ssize_t>& reading, unsigned first_turn) {
    BOOST_TEST(counts->reads == 4 * (first_turn - 1));
    for (unsigned turn = first_turn; turn <= 25; ++turn) {
      loop.run_once();
      BOOST_TEST(counts->reads == 4 * turn);
    }
    BOOST_TEST(value_of(reading) == static_cast<ssize_t>(bytes.size()));
  }
  void open_flood() { ours = Stream(loop, std::make_unique<FloodBackend>(counts)); }
};

}  // namespace

namespace tsock::test {

/// Moves bytes through a pair of streams for as long as it lives.
class Flow {
 public:
  Flow(Stream& from, Stream& to) : from_(from), to_(to) {
    read();
    write();
  }

  [[nodiscard]] std::size_t bytes() const noexcept { return count_; }

 private:
  void read() {
    reading_ = to_.read_some(in_);
    reading_.set_callback([this](Request<ssize_t>& request) {
      int err = 0;
      count_ += static_cast<std::size_t>(request.recv(err));
      if (err == 0) read();
    });
  }
  void write() {
    writing_ = from_.write(out_);
    writing_.set_callback([this](Request<ssize_t>& request) {
      int err = 0;
      request.recv(err);
      if (err == 0) write();
    });
  }

  Stream& from_;
  Stream& to_;
  Bytes in_ = Bytes(std::size_t{64} * 1024);
  Bytes out_ = Bytes(std::size_t{32} * 1024);
  Request<ssize_t> reading_;
  Request<ssize_t> writing_;
  std::size_t count_ = 0;
};

}  // namespace tsock::test

BOOST_AUTO_TEST_SUITE(stream_fairness)

BOOST_FIXTURE_TEST_CASE(a_large_read_asks_its_backend_four_times_an_event_and_waits_for_the_next,
                        FloodFixture) {
  Request<ssize_t> reading = ours.read(bytes);
  for (unsigned event = 1; event <= 3; ++event) {
    counts->events->on_readable();
    BOOST_TEST(counts->reads == 4 * event);
    BOOST_TEST(counts->asked_for_readable == 1 + event);
    BOOST_TEST(reading.transferred() == 4 * event * flood_step);
  }
}

BOOST_FIXTURE_TEST_CASE(where_a_short_read_is_the_last_one_only_much_at_once_is_followed_by_a_try,
                        FloodFixture) {
  constexpr std::size_t much = std::size_t{64} * 1024;
  bytes.resize(100 * much);
  counts->short_is_final = true;
  for (const std::size_t step : {flood_step, much - 1, much}) {
    counts->step = step;
    open_flood();
    Request<ssize_t> reading = ours.read(bytes);
    const unsigned before = counts->reads;
    counts->events->on_readable();
    BOOST_TEST(counts->reads - before == (step == much ? 4U : 1U));
  }
}

BOOST_FIXTURE_TEST_CASE(a_large_write_asks_its_backend_four_times_a_turn_and_goes_on_in_the_next,
                        FloodFixture) {
  Request<ssize_t> writing = ours.write(bytes);
  for (unsigned turn = 1; turn <= 25; ++turn) {
    loop.run_once();
    BOOST_TEST(counts->writes == 4 * turn);
  }
  BOOST_TEST(value_of(writing) == static_cast<ssize_t>(bytes.size()));
}

BOOST_FIXTURE_TEST_CASE(a_backend_that_has_bytes_now_is_asked_four_times_at_once_and_four_times_each_turn,
                        FloodFixture) {
  counts->readiness = Readiness::now;
  Request<ssize_t> reading = ours.read(bytes);
  check_four_reads_a_turn(reading, 2);
}

BOOST_FIXTURE_TEST_CASE(a_backend_that_never_waits_is_asked_in_the_next_turn_only, FloodFixture) {
  counts->readiness = Readiness::next_turn;
  Request<ssize_t> reading = ours.read(bytes);
  check_four_reads_a_turn(reading, 1);
}

BOOST_FIXTURE_TEST_CASE(a_read_that_is_cancelled_before_its_next_turn_reads_nothing_more, FloodFixture) {
  counts->readiness = Readiness::next_turn;
  {
    Request<ssize_t> reading = ours.read(bytes);
    loop.run_once();
  }
  const unsigned before = counts->reads;
  loop.run_until_idle();
  BOOST_TEST(counts->reads == before);
  loop.run();
}

BOOST_DATA_TEST_CASE_F(FloodFixture, a_blocked_write_is_tried_once_a_turn_where_the_backend_expects_no_event,
                       data::make({false, true}), in_next_turn) {
  counts->readiness = in_next_turn ? Readiness::next_turn : Readiness::now;
  counts->takes_nothing = true;
  Request<ssize_t> writing = ours.write(bytes);
  for (unsigned turn = 1; turn <= 5; ++turn) {
    loop.run_once();
    BOOST_TEST(counts->writes == turn);
  }
  counts->takes_nothing = false;
  BOOST_TEST(value_of(writing) == static_cast<ssize_t>(bytes.size()));
}

BOOST_FIXTURE_TEST_CASE(a_stream_that_reads_and_writes_in_the_next_turn_does_both, FloodFixture) {
  counts->readiness = Readiness::next_turn;
  Request<ssize_t> reading = ours.read(bytes);
  Request<ssize_t> writing = ours.write(bytes);
  loop.run_once();
  BOOST_TEST(counts->reads == 4U);
  BOOST_TEST(counts->writes == 4U);
  BOOST_TEST(value_of(writing) == static_cast<ssize_t>(bytes.size()));
  BOOST_TEST(value_of(reading) == static_cast<ssize_t>(bytes.size()));
}

BOOST_FIXTURE_TEST_CASE(a_stream_may_be_destroyed_before_its_next_turn, FloodFixture) {
  counts->readiness = Readiness::next_turn;
  Request<ssize_t> reading = ours.read(bytes);
  Request<ssize_t> writing = ours.write(bytes);
  ours = Stream();
  BOOST_TEST(error_of(reading) == ECANCELED);
  BOOST_TEST(error_of(writing) == ECANCELED);
  BOOST_TEST(counts->reads == 0U);
  loop.run();
}

BOOST_DATA_TEST_CASE_F(StreamFixture, a_stream_that_always_has_bytes_lets_others_have_their_turn,
                       data::make(paths()), backend) {
  open(backend);
  Stream other = std::move(ours);
  Stream other_peer = std::move(peer);
  open(backend);
  const Flow flow(peer, ours);
  BOOST_TEST(run_until([&] { return flow.bytes() != 0; }));
  for (std::size_t round = 0; round < 50; ++round) {
    const std::size_t before = flow.bytes();
    Bytes byte(1);
    Request<ssize_t> quiet = other.read(byte);
    BOOST_TEST(error_of(other_peer.write("x")) == 0);
    BOOST_TEST(error_of(quiet) == 0);
    // In memory that is as many completions as a turn takes.
    BOOST_TEST(flow.bytes() - before <= std::size_t{32} << 20);
  }
}

BOOST_AUTO_TEST_SUITE_END()
