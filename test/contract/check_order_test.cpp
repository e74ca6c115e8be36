#include <limits>

#include "contract/scripted_backend.hpp"
#include "contract/stream_fixture.hpp"

// Of several things that are wrong at once the first one of this order is told: EMSGSIZE, EINVAL,
// ECONNABORTED, EBUSY, ENOTCONN, the latched error.

using namespace tsock;
using namespace tsock::test;

namespace {

enum class Fault { none, too_many, sum_overflow, empty };
constexpr std::array all_faults{Fault::none, Fault::too_many, Fault::sum_overflow, Fault::empty};

std::ostream& operator<<(std::ostream& out, Fault fault) {
  return out << std::array{"good", "too many vectors", "sum overflow",
                           "no byte"}[static_cast<std::size_t>(fault)];
}

/// Vectors with a fault. Their bytes are never touched but for Fault::none.
std::vector<iovec> vectors_with(Fault fault, Bytes& buffer) {
  switch (fault) {
    case Fault::none:
      return {make_vector(std::span(buffer))};
    case Fault::too_many:
      return std::vector<iovec>(max_vectors + 1, make_vector(std::span(buffer)));
    case Fault::sum_overflow:
      return {make_vector(std::span(buffer)),
              iovec{buffer.data(), static_cast<std::size_t>(std::numeric_limits<ssize_t>::max())}};
    case Fault::empty:
      return std::vector<iovec>(3, iovec{buffer.data(), 0});
  }
  return {};
}

/// What the arguments alone give, or else what the state of the stream gives.
int expected(Fault fault, int state_error) {
  switch (fault) {
    case Fault::none:
      return state_error;
    case Fault::too_many:
    case Fault::sum_overflow:
      return EMSGSIZE;
    case Fault::empty:
      return EINVAL;
  }
  return -1;
}

struct CheckFixture : StreamFixture {
  Bytes buffer = Bytes(1);

  void check_read(int state_error) {
    for (const Fault fault : all_faults) {
      BOOST_TEST_CONTEXT("readv with " << fault) {
        const auto vectors = vectors_with(fault, buffer);
        Request<ssize_t> reading = ours.readv(vectors);
        BOOST_TEST(reading.is_in_progress());
        int err = 0;
        BOOST_TEST(fetch(reading, err) == -1);
        BOOST_TEST(err == expected(fault, state_error));
        BOOST_TEST(reading.transferred() == 0U);
      }
    }
    BOOST_TEST(error_of(ours.read_some({})) == EINVAL);
    BOOST_TEST(error_of(ours.read_some(buffer)) == state_error);
    BOOST_TEST(error_of(ours.readv_pdu(framing::u32be{.max_body = 1, .min_body = 2})) == EINVAL);
    BOOST_TEST(error_of(ours.readv_pdu(framing::u32be{})) == state_error);
    const auto one_byte = [this](VectorList& vectors) {
      vectors.add(std::span(buffer));
      return 0;
    };
    BOOST_TEST(error_of(ours.readv_pdu(one_byte)) == state_error);
  }

  void check_write(int state_error) {
    for (const Fault fault : all_faults) {
      BOOST_TEST_CONTEXT("writev with " << fault) {
        const auto vectors = vectors_with(fault, buffer);
        Request<ssize_t> writing = ours.writev(vectors);
        BOOST_TEST(writing.is_in_progress());
        int err = 0;
        BOOST_TEST(fetch(writing, err) == -1);
        BOOST_TEST(err == expected(fault, state_error));
        BOOST_TEST(writing.transferred() == 0U);
      }
    }
    BOOST_TEST(ours.queued_bytes() == 0U);
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(stream_check_order)

BOOST_DATA_TEST_CASE_F(CheckFixture, arguments_are_checked_on_an_open_stream, data::make(all_backends()),
                       backend) {
  open(backend);
  for (const Fault fault : {Fault::too_many, Fault::sum_overflow, Fault::empty}) {
    const auto vectors = vectors_with(fault, buffer);
    BOOST_TEST(error_of(ours.readv(vectors)) == expected(fault, 0));
    BOOST_TEST(error_of(ours.writev(vectors)) == expected(fault, 0));
  }
  BOOST_TEST(error_of(ours.readv({})) == EINVAL);
  BOOST_TEST(error_of(ours.writev({})) == EINVAL);
  BOOST_TEST(error_of(ours.write(std::string_view())) == EINVAL);
  // The stream is as good as before.
  BOOST_TEST((send_through(ours, peer, bytes_of("abc")) == bytes_of("abc")));
  BOOST_TEST((send_through(peer, ours, bytes_of("def")) == bytes_of("def")));
}

BOOST_DATA_TEST_CASE_F(CheckFixture, a_read_in_flight_comes_behind_the_arguments, data::make(all_backends()),
                       backend) {
  open(backend);
  Bytes first(3);
  Request<ssize_t> reading = ours.read(first);
  check_read(EBUSY);
  BOOST_TEST(reading.is_in_progress());
  Request<ssize_t> writing = peer.write("abc");
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(text_of(first) == "abc");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_DATA_TEST_CASE_F(CheckFixture, a_latched_error_comes_last, data::make(all_backends()), backend) {
  open(backend);
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  BOOST_TEST(error_of(ours.read(buffer)) == EPIPE);
  check_read(EPIPE);
}

BOOST_DATA_TEST_CASE_F(CheckFixture, a_closed_stream_comes_before_its_latched_error,
                       data::make(all_backends()), backend) {
  open(backend);
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  BOOST_TEST(error_of(ours.read(buffer)) == EPIPE);
  BOOST_TEST(error_of(ours.disconnect()) == 0);
  check_read(ENOTCONN);
  check_write(ENOTCONN);
  BOOST_TEST(error_of(ours.disconnect()) == ENOTCONN);
  BOOST_TEST(error_of(ours.monitor()) == ENOTCONN);
  BOOST_TEST(error_of(ours.shutdown_write()) == ENOTCONN);
}

BOOST_DATA_TEST_CASE_F(CheckFixture, a_stream_closed_by_abort_is_enotconn, data::make(all_backends()),
                       backend) {
  open(backend);
  ours.abort();
  BOOST_TEST(!ours.is_open());
  check_read(ENOTCONN);
  check_write(ENOTCONN);
  ours.abort();
}

BOOST_DATA_TEST_CASE_F(CheckFixture, a_moved_from_stream_is_enotconn, data::make(all_backends()), backend) {
  open(backend);
  const Stream taken = std::move(ours);
  check_read(ENOTCONN);
  check_write(ENOTCONN);
  BOOST_TEST(error_of(ours.disconnect()) == ENOTCONN);
  BOOST_TEST(error_of(ours.monitor()) == ENOTCONN);
  BOOST_TEST(error_of(ours.shutdown_write()) == ENOTCONN);
}

BOOST_DATA_TEST_CASE_F(CheckFixture, a_closed_stream_comes_before_the_cap_of_its_writes,
                       data::make(all_backends()), backend) {
  open(backend);
  ours.set_watermarks({.high = 1, .low = 0, .cap = 2}, {});
  BOOST_TEST(error_of(ours.write("abc")) == ENOBUFS);
  BOOST_TEST(error_of(ours.disconnect()) == 0);
  BOOST_TEST(error_of(ours.write("abc")) == ENOTCONN);
}

BOOST_FIXTURE_TEST_CASE(a_disconnect_that_runs_comes_before_the_latched_errors, CheckFixture) {
  const auto script = make_script(
      {.read_error = ECONNRESET, .room = 0, .write_error = ECONNRESET, .disconnect_result = EAGAIN});
  ours = scripted_stream(loop, script);
  int err = 0;
  BOOST_TEST(ours.pending_bytes(err) == 0U);
  BOOST_TEST(err == ECONNRESET);
  BOOST_TEST(error_of(ours.write("x")) == ECONNRESET);
  Request<void> disconnecting = ours.disconnect();
  check_read(ECONNABORTED);
  check_write(ECONNABORTED);
  BOOST_TEST(error_of(ours.disconnect()) == EALREADY);
  BOOST_TEST(error_of(ours.monitor()) == ECONNABORTED);
  BOOST_TEST(error_of(ours.shutdown_write()) == ECONNABORTED);
  BOOST_TEST(disconnecting.is_in_progress());
  BOOST_TEST(!ours.is_open());
  script->disconnect_result = 0;
  script->events->on_writable();
  BOOST_TEST(error_of(disconnecting) == 0);
  BOOST_TEST(script->disconnect_calls == 2U);
  check_read(ENOTCONN);
  check_write(ENOTCONN);
}

BOOST_FIXTURE_TEST_CASE(a_read_in_flight_comes_before_the_latched_error, CheckFixture) {
  const auto script = make_script({.read_error = ECONNRESET});
  ours = scripted_stream(loop, script);
  Bytes first(1);
  Request<ssize_t> reading = ours.read(first);
  int err = 0;
  BOOST_TEST(ours.pending_bytes(err) == 0U);
  BOOST_TEST(err == ECONNRESET);
  check_read(EBUSY);
  reading = {};
  check_read(ECONNRESET);
}

BOOST_FIXTURE_TEST_CASE(a_write_in_flight_comes_before_the_end_of_the_own_side, CheckFixture) {
  const auto script = make_script({.room = 0});
  ours = scripted_stream(loop, script);
  Request<ssize_t> writing = ours.write("abc");
  Request<void> ending = ours.shutdown_write();
  loop.run_until_idle();
  for (const Fault fault : all_faults) {
    const auto vectors = vectors_with(fault, buffer);
    BOOST_TEST(error_of(ours.writev(vectors)) == expected(fault, EBUSY));
  }
  BOOST_TEST(ours.queued_bytes() == 3U);
  writing = {};
  check_write(EPIPE);
  BOOST_TEST(error_of(ours.shutdown_write()) == EALREADY);
}

BOOST_AUTO_TEST_SUITE_END()
