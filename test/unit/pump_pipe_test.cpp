// A pump between two sockets: bytes in a pipe of the system are those of the pump.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <memory>
#include <tsock/tsock.hpp>
#include <vector>

#include "core/loop/loop_core.hpp"
#include "support/descriptors.hpp"
#include "support/kernel_pipes.hpp"
#include "support/loop_fixture.hpp"
#include "uv/loop_impl.hpp"
#include "uv/pipe_store.hpp"

using namespace tsock;
using tsock::test::LoopFixture;
using tsock::test::open_descriptors;
using tsock::test::pattern;
using tsock::test::StreamKind;

namespace {

constexpr std::size_t size = 3000000;  // more than all buffers on the way hold

struct PipeFixture : LoopFixture {
  void open(StreamKind kind) {
    auto in = stream_pair(kind);
    auto out = stream_pair(kind);
    feed = std::move(in.first);
    source = std::move(in.second);
    target = std::move(out.first);
    sink = std::move(out.second);
  }
  std::size_t lent(Loop& of) { return detail::impl_of(of.core()).pipes()->lent(); }
  std::size_t lent() { return lent(loop); }
  // A pump that has filled a pipe, which its target does not take.
  void fill_pipe(const std::vector<std::byte>& sent, StreamKind kind = StreamKind::unix_socket) {
    open(kind);
    writing = feed.write(sent);
    pumping = tsock::pump(source, target);
    BOOST_TEST_REQUIRE(run_until([this] { return lent() == 1; }));
    loop.run_until_idle();
    BOOST_TEST_REQUIRE(lent() == 1U);
  }
  std::vector<std::byte> read(Stream& stream, std::size_t bytes) {
    std::vector<std::byte> received(bytes);
    auto reading = stream.read(received);
    BOOST_TEST(error_of(reading) == 0);
    return received;
  }

  Stream feed;
  Stream source;
  Stream target;
  Stream sink;
  Request<ssize_t> writing;
  Request<PumpResult> pumping;
};

bool is_part(const std::vector<std::byte>& part, const std::vector<std::byte>& whole, std::size_t at) {
  return at + part.size() <= whole.size() &&
         std::equal(part.begin(), part.end(), whole.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(pump_pipe, PipeFixture,
                         *boost::unit_test::precondition(tsock::test::has_kernel_pipes))

BOOST_AUTO_TEST_CASE(much_goes_through_a_pipe_which_is_given_back) {
  for (const StreamKind kind : {StreamKind::unix_socket, StreamKind::tcp}) {
    const auto sent = pattern(4 * size);
    fill_pipe(sent, kind);
    BOOST_TEST((read(sink, sent.size()) == sent));
    BOOST_TEST(error_of(writing) == 0);
    BOOST_TEST(lent() == 0U);
    BOOST_TEST(pumping.transferred() == sent.size());
    BOOST_TEST(error_of(feed.shutdown_write()) == 0);
    int err = -1;
    BOOST_TEST(fetch(pumping, err).bytes == sent.size());
    BOOST_TEST(err == 0);
  }
}

BOOST_AUTO_TEST_CASE(few_bytes_and_those_that_somebody_looks_at_are_copied) {
  open(StreamKind::unix_socket);
  pumping = tsock::pump(source, target);
  const auto few = pattern(20000);
  for (int i = 0; i < 10; ++i) {
    writing = feed.write(few);
    BOOST_TEST((read(sink, few.size()) == few));
    BOOST_TEST(error_of(writing) == 0);
    BOOST_TEST(lent() == 0U);
  }
  pumping = {};
  std::size_t seen = 0;
  pumping = tsock::pump(source, target,
                        {.on_data = [&seen](std::span<const std::byte> bytes) { seen += bytes.size(); }});
  const auto sent = pattern(size);
  writing = feed.write(sent);
  loop.run_until_idle();
  BOOST_TEST(lent() == 0U);
  BOOST_TEST((read(sink, sent.size()) == sent));
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(seen == sent.size());
}

BOOST_AUTO_TEST_CASE(watermarks_of_the_target_count_what_is_in_the_pipe) {
  const auto sent = pattern(size);
  fill_pipe(sent);
  BOOST_TEST(target.queued_bytes() > 0U);
  BOOST_TEST(target.queued_bytes() <= detail::PipeStore::pipe_size);
  BOOST_TEST((read(sink, size) == sent));
  BOOST_TEST(target.queued_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(cancelling_gives_what_is_in_the_pipe_back_to_the_source) {
  for (const StreamKind kind : {StreamKind::unix_socket, StreamKind::tcp}) {
    const auto sent = pattern(4 * size);
    fill_pipe(sent, kind);
    BOOST_TEST(pumping.cancel());
    int err = 0;
    const PumpResult result = fetch(pumping, err);
    BOOST_TEST(err == ECANCELED);
    BOOST_TEST(lent() == 0U);
    const auto moved = static_cast<std::size_t>(result.bytes);
    BOOST_TEST(
        (read(sink, moved) == std::vector(sent.begin(), sent.begin() + static_cast<std::ptrdiff_t>(moved))));
    const auto rest = read(source, sent.size() - moved);
    BOOST_TEST(is_part(rest, sent, moved));
    BOOST_TEST(error_of(writing) == 0);
  }
}

BOOST_AUTO_TEST_CASE(destroying_the_request_at_any_moment_loses_no_byte) {
  for (const StreamKind kind : {StreamKind::unix_socket, StreamKind::tcp}) {
    std::size_t with_pipe = 0;
    for (unsigned step = 0; step < 20; ++step) {
      open(kind);
      const auto sent = pattern(size, step);
      writing = feed.write(sent);
      pumping = tsock::pump(source, target);
      // Wherever that leaves off in what the pipe had.
      std::vector<std::byte> received = read(sink, 1 + step * 37000);
      loop.run_until_idle();
      with_pipe += lent();
      pumping = {};
      BOOST_TEST(lent() == 0U);
      pumping = tsock::pump(source, target);
      const auto rest = read(sink, sent.size() - received.size());
      received.insert(received.end(), rest.begin(), rest.end());
      BOOST_TEST((received == sent));
      BOOST_TEST(error_of(writing) == 0);
      pumping = {};
    }
    // The system's buffers for TCP grow as they like.
    BOOST_TEST((with_pipe > 0U || kind == StreamKind::tcp));
  }
}

BOOST_AUTO_TEST_CASE(failing_target_is_named_and_the_source_keeps_what_is_in_the_pipe) {
  const auto sent = pattern(size);
  fill_pipe(sent);
  sink = Stream();  // with SIGPIPE, unless it is suppressed
  int err = 0;
  const PumpResult result = fetch(pumping, err);
  BOOST_TEST((err == EPIPE || err == ECONNRESET));
  BOOST_TEST((result.side == PumpSide::target));
  BOOST_TEST(lent() == 0U);
  const auto moved = static_cast<std::size_t>(result.bytes);
  const auto rest = read(source, sent.size() - moved);
  BOOST_TEST(is_part(rest, sent, moved));
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_AUTO_TEST_CASE(failing_source_is_named_after_what_is_in_the_pipe_was_written) {
  const auto sent = pattern(4 * size);
  fill_pipe(sent, StreamKind::tcp);
  feed.abort();
  std::vector<std::byte> some(65536);
  std::size_t got = 0;
  int end = 0;
  while (end == 0) {
    auto reading = sink.read_some(some);
    const auto count = fetch(reading, end);
    if (end != 0) break;
    const auto bytes = static_cast<std::size_t>(count);
    BOOST_TEST_REQUIRE(
        std::equal(some.begin(), some.begin() + count, sent.begin() + static_cast<std::ptrdiff_t>(got)));
    got += bytes;
  }
  BOOST_TEST(end == ECONNRESET);  // what came must not look complete
  int err = 0;
  const PumpResult result = fetch(pumping, err);
  BOOST_TEST(err == ECONNRESET);
  BOOST_TEST((result.side == PumpSide::source));
  BOOST_TEST(lent() == 0U);
}

BOOST_AUTO_TEST_CASE(no_descriptor_is_left_whoever_goes_first) {
  const std::size_t before = open_descriptors().size();
  for (int who = 0; who < 4; ++who) {
    auto own = std::make_unique<LoopFixture>();
    own->expects_leftovers = true;
    auto in = own->unix_pair();
    auto out = own->unix_pair();
    const auto sent = pattern(size);
    auto write = in.first.write(sent);
    auto pump = tsock::pump(in.second, out.first);
    BOOST_TEST(own->run_until([&] { return lent(own->loop) == 1; }));
    if (who == 0) in.second = Stream();
    if (who == 1) out.first = Stream();
    if (who == 2) pump = {};
    if (who < 2) BOOST_TEST(own->error_of(pump) == ECANCELED);
    own.reset();
  }
  BOOST_TEST(open_descriptors().size() == before);
}

BOOST_AUTO_TEST_CASE(pumps_that_get_no_pipe_copy) {
  constexpr std::size_t count = detail::PipeStore::most_lent + 3;
  const auto sent = pattern(1000000);
  std::vector<Request<ssize_t>> writes;
  std::vector<Request<PumpResult>> pumps;
  std::vector<std::pair<Stream, Stream>> ins;
  std::vector<std::pair<Stream, Stream>> outs;
  for (std::size_t i = 0; i < count; ++i) {
    ins.push_back(unix_pair());
    outs.push_back(unix_pair());
  }
  for (std::size_t i = 0; i < count; ++i) {
    writes.push_back(ins[i].first.write(sent));
    pumps.push_back(tsock::pump(ins[i].second, outs[i].first));
  }
  BOOST_TEST(run_until([this] { return lent() == detail::PipeStore::most_lent; }));
  for (std::size_t i = 0; i < count; ++i) BOOST_TEST((read(outs[i].second, sent.size()) == sent));
  BOOST_TEST(lent() == 0U);
  for (auto& write : writes) BOOST_TEST(error_of(write) == 0);
}

BOOST_AUTO_TEST_CASE(forked_child_does_not_take_the_bytes_of_its_parent) {
  const auto sent = pattern(size);
  fill_pipe(sent);
  const pid_t child = ::fork();
  if (child == 0) {
    pumping = {};
    int err = 0;
    static_cast<void>(source.pending_bytes(err));
    ::_exit(err == EPROTO ? 0 : 1);
  }
  int status = -1;
  BOOST_TEST(::waitpid(child, &status, 0) == child);
  BOOST_TEST(status == 0);
  BOOST_TEST((read(sink, sent.size()) == sent));
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
