// A pump from a socket into a file: bytes go through pipes of the system, which threads empty, and are those
// of the pump until the file has taken them.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>
#include <memory>
#include <tsock/tsock.hpp>
#include <vector>

#include "core/loop/loop_core.hpp"
#include "support/descriptors.hpp"
#include "support/kernel_pipes.hpp"
#include "support/loop_fixture.hpp"
#include "uv/file_stream.hpp"
#include "uv/loop_impl.hpp"
#include "uv/pipe_store.hpp"

using namespace tsock;
using tsock::test::bytes_of;
using tsock::test::LoopFixture;
using tsock::test::open_descriptors;
using tsock::test::pattern;
using tsock::test::StreamKind;
using tsock::test::TempDirectory;
using tsock::test::text_of;

namespace {

constexpr std::size_t much = 6000000;  // more than all buffers on the way hold

/// The largest file that this process may write; the signal that goes with it is ignored.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(std::size_t most) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = most;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, SIG_DFL);
  }

 private:
  rlimit before_{};
};

struct PumpFileFixture : LoopFixture {
  ~PumpFileFixture() {
    if (!expects_leftovers) end_of_file_calls();
  }

  void open(FileMode mode = FileMode::write, StreamKind kind = StreamKind::unix_socket) {
    auto pair = stream_pair(kind);
    feed = std::move(pair.first);
    source = std::move(pair.second);
    int err = -1;
    target = open_file(loop, path.c_str(), mode, err);
    BOOST_TEST_REQUIRE(err == 0);
  }
  /// Opens a file whose thread waits for whoever reads from `slow`.
  void open_slow() {
    open();
    std::array<int, 2> fds{};
    BOOST_TEST_REQUIRE(::pipe2(fds.data(), O_CLOEXEC) == 0);
    UniqueFd writing_end(fds[1]);
    ::fcntl(fds[1], F_SETPIPE_SZ, 4096);
    target = {loop,
              std::make_unique<detail::FileStream>(detail::impl_of(loop.core()), std::move(writing_end))};
    int err = -1;
    slow = open_stdio(loop, fds[0], err);
    BOOST_TEST_REQUIRE(err == 0);
  }
  std::size_t lent() { return detail::impl_of(loop.core()).pipes()->lent(); }
  void start(const std::vector<std::byte>& sent) {
    writing = feed.write(sent);
    pumping = tsock::pump(source, target);
  }
  /// Starts a pump of whose pipes a thread is at one, while the other one is full. \return what came out
  std::vector<std::byte> fill_both_pipes(const std::vector<std::byte>& sent) {
    open_slow();
    start(sent);
    std::vector<std::byte> out;
    while (lent() < 2 && out.size() < 600000) {
      const auto more = read(slow, 1000);
      out.insert(out.end(), more.begin(), more.end());
      loop.run_until_idle();
    }
    BOOST_TEST_REQUIRE(lent() == 2U);
    return out;
  }
  /// Ends the feed and waits for the pump, whose pipes are counted.
  std::size_t most_lent_until_end() {
    std::size_t most = 0;
    const auto count = [this, &most](const auto& request) {
      most = std::max(most, lent());
      return !request.is_in_progress();
    };
    BOOST_TEST_REQUIRE(run_until([&] { return count(writing); }));
    BOOST_TEST(error_of(feed.shutdown_write()) == 0);
    BOOST_TEST_REQUIRE(run_until([&] { return count(pumping); }));
    BOOST_TEST(lent() == 0U);
    return most;
  }
  std::vector<std::byte> read(Stream& stream, std::size_t bytes) {
    std::vector<std::byte> received(bytes);
    auto reading = stream.read(received);
    BOOST_TEST(error_of(reading) == 0);
    return received;
  }
  /// Appends what comes until the stream ends.
  void read_rest(Stream& stream, std::vector<std::byte>& all) {
    std::vector<std::byte> some(65536);
    for (int err = 0; err == 0;) {
      auto reading = stream.read_some(some);
      const auto got = fetch(reading, err);
      if (err == 0) all.insert(all.end(), some.begin(), some.begin() + got);
    }
  }
  std::vector<std::byte> content() {
    end_of_file_calls();
    std::ifstream in(path, std::ios::binary);
    return bytes_of(std::string(std::istreambuf_iterator<char>(in), {}));
  }

  TempDirectory directory;
  std::string path = directory / "file";
  Stream feed;
  Stream source;
  Stream target;
  Stream slow;
  Request<ssize_t> writing;
  Request<PumpResult> pumping;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(pump_file, PumpFileFixture,
                         *boost::unit_test::precondition(tsock::test::has_kernel_pipes))

BOOST_AUTO_TEST_CASE(much_goes_into_a_file_through_pipes_which_are_given_back) {
  const auto sent = pattern(much);
  for (const StreamKind kind : {StreamKind::unix_socket, StreamKind::tcp}) {
    open(FileMode::write, kind);
    start(sent);
    const std::size_t most = most_lent_until_end();
    BOOST_TEST(most > 0U);
    BOOST_TEST(most <= 2U);
    int err = -1;
    BOOST_TEST(fetch(pumping, err).bytes == sent.size());
    BOOST_TEST(err == 0);
    BOOST_TEST(pumping.transferred() == sent.size());
    BOOST_TEST(error_of(target.disconnect()) == 0);
    BOOST_TEST((content() == sent));
  }
}

BOOST_AUTO_TEST_CASE(bytes_go_to_the_place_of_the_descriptor) {
  std::ofstream(path) << "0123456789";
  open();
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  ::pwrite(fd, "0123456789", 10, 0);
  BOOST_TEST(::lseek(fd, 4, SEEK_SET) == 4);
  int err = -1;
  target = open_stdio(loop, fd, err);
  BOOST_TEST_REQUIRE(err == 0);
  const auto sent = pattern(much);
  start(sent);
  BOOST_TEST(most_lent_until_end() > 0U);
  BOOST_TEST(error_of(pumping) == 0);
  BOOST_TEST(error_of(target.write("end")) == 0);
  BOOST_TEST((text_of(content()) == "0123" + text_of(sent) + "end"));
}

BOOST_AUTO_TEST_CASE(file_that_is_appended_to_gets_copies) {
  std::ofstream(path) << "before";
  open(FileMode::append);
  const auto sent = pattern(much);
  start(sent);
  BOOST_TEST(most_lent_until_end() == 0U);
  BOOST_TEST(error_of(pumping) == 0);
  BOOST_TEST((text_of(content()) == "before" + text_of(sent)));
}

// As where the file system takes no bytes from a pipe.
BOOST_AUTO_TEST_CASE(file_that_refuses_pipes_meanwhile_gets_every_byte) {
  open();
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const UniqueFd other(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  int err = -1;
  target = open_stdio(loop, fd, err);
  BOOST_TEST_REQUIRE(err == 0);
  const auto sent = pattern(much);
  start(sent);
  BOOST_TEST_REQUIRE(::fcntl(other.get(), F_SETFL, O_APPEND) == 0);
  BOOST_TEST(most_lent_until_end() > 0U);
  BOOST_TEST(error_of(pumping) == 0);
  BOOST_TEST((content() == sent));
}

BOOST_AUTO_TEST_CASE(source_is_read_while_a_thread_writes) {
  const auto sent = pattern(much);
  auto out = fill_both_pipes(sent);
  loop.run_until_idle();
  BOOST_TEST(lent() == 2U);
  writing = {};
  feed = Stream();
  pumping.set_callback([this](auto&) { target = Stream(); });
  read_rest(slow, out);
  BOOST_TEST(lent() == 0U);
  BOOST_TEST(out.size() <= sent.size());
  BOOST_TEST(std::equal(out.begin(), out.end(), sent.begin()));
  BOOST_TEST(out.size() == pumping.transferred());
}

BOOST_AUTO_TEST_CASE(cancelling_gives_back_what_the_file_has_not_taken) {
  const auto sent = pattern(much);
  auto out = fill_both_pipes(sent);
  BOOST_TEST(pumping.cancel());
  int err = 0;
  const PumpResult result = fetch(pumping, err);
  BOOST_TEST(err == ECANCELED);
  BOOST_TEST(lent() == 0U);
  BOOST_TEST(result.bytes > out.size());
  BOOST_TEST(result.bytes < sent.size());
  const auto moved = static_cast<std::size_t>(result.bytes);
  const auto rest = read(source, sent.size() - moved);
  BOOST_TEST(std::equal(rest.begin(), rest.end(), sent.begin() + static_cast<std::ptrdiff_t>(moved)));
  BOOST_TEST(error_of(writing) == 0);
  // What was taken is written.
  target = Stream();
  read_rest(slow, out);
  BOOST_TEST(out.size() == result.bytes);
  BOOST_TEST(std::equal(out.begin(), out.end(), sent.begin()));
}

BOOST_AUTO_TEST_CASE(next_pump_goes_on_behind_what_a_thread_is_still_writing) {
  const auto sent = pattern(much);
  auto out = fill_both_pipes(sent);
  pumping = {};
  pumping = tsock::pump(source, target);
  std::vector<std::byte> more(sent.size() - out.size());
  auto reading = slow.read(more);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(std::equal(more.begin(), more.end(), sent.begin() + static_cast<std::ptrdiff_t>(out.size())));
  BOOST_TEST(error_of(writing) == 0);
  pumping = {};
  target = Stream();
}

BOOST_AUTO_TEST_CASE(destroying_the_request_at_any_turn_loses_no_byte) {
  std::size_t with_pipe = 0;
  for (int turns = 0; turns < 30; ++turns) {
    open();
    const auto sent = pattern(much, static_cast<unsigned>(turns));
    start(sent);
    for (int turn = 0; turn < turns && pumping.is_in_progress(); ++turn) loop.run_once();
    with_pipe += lent();
    pumping = {};
    BOOST_TEST(lent() == 0U);
    pumping = tsock::pump(source, target);
    most_lent_until_end();
    BOOST_TEST(error_of(pumping) == 0);
    BOOST_TEST((content() == sent));
    target = Stream();
  }
  BOOST_TEST(with_pipe > 0U);
}

BOOST_AUTO_TEST_CASE(file_that_is_full_leaves_the_rest_to_the_source) {
  for (const bool refuses_pipes : {false, true}) {
    open();
    const int fd = ::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
    const UniqueFd other(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
    int err = -1;
    target = open_stdio(loop, fd, err);
    BOOST_TEST_REQUIRE(err == 0);
    const auto sent = pattern(much);
    constexpr std::size_t most = 3333333;
    {
      const FileSizeLimit limit(most);
      start(sent);
      if (refuses_pipes) BOOST_TEST_REQUIRE(::fcntl(other.get(), F_SETFL, O_APPEND) == 0);
      const PumpResult result = fetch(pumping, err);
      BOOST_TEST(err == EFBIG);
      BOOST_TEST((result.side == PumpSide::target));
      BOOST_TEST(result.bytes == most);
      BOOST_TEST(pumping.transferred() == most);
      BOOST_TEST(lent() == 0U);
    }
    const auto rest = read(source, sent.size() - most);
    BOOST_TEST(std::equal(rest.begin(), rest.end(), sent.begin() + static_cast<std::ptrdiff_t>(most)));
    BOOST_TEST(error_of(writing) == 0);
    auto written = content();
    BOOST_TEST(written.size() == most);
    BOOST_TEST(std::equal(written.begin(), written.end(), sent.begin()));
  }
}

// A thread that cannot write puts bytes back into the pipe, which must not be another pump's by then.
BOOST_AUTO_TEST_CASE(pipe_that_a_thread_still_empties_is_not_lent_to_another_pump) {
  fill_both_pipes(pattern(much));
  pumping = {};
  BOOST_TEST(lent() == 0U);
  std::vector<detail::BorrowedPipe> others;
  for (std::size_t i = 0; i < detail::PipeStore::most_idle; ++i) {
    others.push_back(detail::impl_of(loop.core()).pipes()->borrow(detail::PipeUse::into_file));
    BOOST_TEST_REQUIRE((others.back() != nullptr));
  }
  slow = Stream();
  target = Stream();
  end_of_file_calls();
  for (const detail::BorrowedPipe& other : others) {
    std::byte of_the_thread{};
    BOOST_TEST(!other->read({&of_the_thread, 1}));
  }
}

BOOST_AUTO_TEST_CASE(no_descriptor_is_left_whoever_goes_first_while_a_thread_writes) {
  const std::size_t before = open_descriptors().size();
  const auto sent = pattern(much);
  for (int who = 0; who < 3; ++who) {
    auto out = fill_both_pipes(sent);
    if (who == 0) source = Stream();
    if (who == 1) target = Stream();
    if (who == 2) pumping = {};
    if (who < 2) BOOST_TEST(error_of(pumping) == ECANCELED);
    BOOST_TEST(lent() == 0U);
    source = Stream();
    target = Stream();
    read_rest(slow, out);
    BOOST_TEST(std::equal(out.begin(), out.end(), sent.begin()));
    writing = {};
    feed = Stream();
    slow = Stream();
    end_of_file_calls();
  }
  detail::impl_of(loop.core()).pipes()->close_idle();
  BOOST_TEST(open_descriptors().size() == before);
}

BOOST_AUTO_TEST_CASE(forked_child_does_not_take_the_bytes_of_its_parent) {
  const auto sent = pattern(much);
  auto out = fill_both_pipes(sent);
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
  std::vector<std::byte> more(sent.size() - out.size());
  auto reading = slow.read(more);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(std::equal(more.begin(), more.end(), sent.begin() + static_cast<std::ptrdiff_t>(out.size())));
  BOOST_TEST(error_of(writing) == 0);
  pumping = {};
}

BOOST_AUTO_TEST_SUITE_END()
