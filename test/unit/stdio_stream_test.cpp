#include "tsock/stdio_stream.hpp"

#include <fcntl.h>
#include <pty.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <tsock/tsock.hpp>
#include <vector>

#include "core/loop/loop_core.hpp"
#include "support/loop_fixture.hpp"
#include "support/system.hpp"
#include "support/thread_shortage.hpp"
#include "uv/loop_impl.hpp"
#include "uv/os/descriptor.hpp"

using namespace tsock;
using tsock::test::LoopFixture;
using tsock::test::pattern;
using tsock::test::TempDirectory;

namespace {

/// Puts one of the process' standard descriptors aside while a test has another one in its place. Tests use
/// 0 for output too: 1 and 2 belong to the test program.
class StandardDescriptor {
 public:
  StandardDescriptor(int number, int replacement)
      : number_(number), kept_(::fcntl(number, F_DUPFD_CLOEXEC, 10)) {
    ::dup2(replacement, number);
  }
  StandardDescriptor(const StandardDescriptor&) = delete;
  StandardDescriptor& operator=(const StandardDescriptor&) = delete;
  ~StandardDescriptor() { ::dup2(kept_.get(), number_); }

 private:
  int number_;
  UniqueFd kept_;
};

bool is_nonblocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }
bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

struct StdioFixture : LoopFixture {
  TempDirectory directory;

  /// The default action of SIGPIPE is to kill this program.
  StdioFixture() { std::signal(SIGPIPE, SIG_DFL); }
  // Files are closed by worker threads.
  ~StdioFixture() { loop.run(); }

  static void pipe(UniqueFd& reading, UniqueFd& writing) {
    std::array<int, 2> fds{};
    BOOST_TEST_REQUIRE(::pipe2(fds.data(), O_CLOEXEC) == 0);
    reading.reset(fds[0]);
    writing.reset(fds[1]);
  }
  Stream open(int fd) {
    int err = -1;
    Stream stream = open_stdio(loop, fd, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
  Stream open_path(const std::string& path, FileMode mode) {
    int err = -1;
    Stream stream = open_file(loop, path.c_str(), mode, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
  std::string read_text(Stream& stream, std::size_t size) {
    std::string text(size, '?');
    auto reading = stream.read(std::as_writable_bytes(std::span(text)));
    BOOST_TEST(error_of(reading) == 0);
    return text;
  }
  int end_of(Stream& stream) {
    std::byte byte{};
    auto reading = stream.read_some({&byte, 1});
    return error_of(reading);
  }
  void write_text(Stream& stream, std::string_view text) { BOOST_TEST(error_of(stream.write(text)) == 0); }

  std::string make_file(std::string_view name, std::string_view content) {
    const std::string path = directory / name;
    std::ofstream(path) << content;
    return path;
  }
  static std::string content_of(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(stdio_stream, StdioFixture)

// ---- pipes ----

BOOST_AUTO_TEST_CASE(pipe_is_read_to_its_end) {
  UniqueFd near;
  UniqueFd far;
  pipe(near, far);
  const StandardDescriptor input(0, near.get());
  Stream stream = open(0);
  BOOST_TEST(::write(far.get(), "first second", 12) == 12);
  BOOST_TEST(read_text(stream, 5) == "first");
  BOOST_TEST(read_text(stream, 7) == " second");
  far.reset();
  BOOST_TEST(end_of(stream) == EPIPE);
  stream = Stream();
  BOOST_TEST(is_open(0));
}

BOOST_AUTO_TEST_CASE(pipe_takes_more_than_it_holds) {
  UniqueFd near;
  UniqueFd far;
  pipe(near, far);
  const StandardDescriptor output(0, far.get());
  Stream out = open(0);
  Stream in = open(near.release());
  const std::vector<std::byte> sent = pattern(1000000);
  BOOST_TEST((send_through(out, in, sent) == sent));
}

BOOST_AUTO_TEST_CASE(flag_of_a_shared_pipe_is_not_touched,
                     *boost::unit_test::precondition(tsock::test::more_than_posix)) {
  UniqueFd near;
  UniqueFd far;
  pipe(near, far);
  Stream in = open(::fcntl(near.get(), F_DUPFD_CLOEXEC, 3));
  Stream out = open(::fcntl(far.get(), F_DUPFD_CLOEXEC, 3));
  const std::vector<std::byte> sent = pattern(1000);
  BOOST_TEST((send_through(out, in, sent) == sent));
  BOOST_TEST(!is_nonblocking(near.get()));
  BOOST_TEST(!is_nonblocking(far.get()));
}

BOOST_AUTO_TEST_CASE(flag_of_a_pipe_that_cannot_be_reopened_is_as_it_was) {
  for (const int flag : {0, O_NONBLOCK}) {
    // Without a reader, opening the writing end of a fifo anew gives ENXIO.
    const std::string path = directory / ("fifo" + std::to_string(flag));
    BOOST_TEST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    UniqueFd near(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    const UniqueFd far(::open(path.c_str(), O_WRONLY | O_CLOEXEC | flag));
    near.reset();
    const StandardDescriptor output(0, far.get());
    {
      Stream out = open(0);
      BOOST_TEST(is_nonblocking(far.get()));
      BOOST_TEST(error_of(out.write("x")) == EPIPE);
    }
    BOOST_TEST(is_nonblocking(far.get()) == (flag != 0));
  }
}

BOOST_AUTO_TEST_CASE(writing_to_a_pipe_without_a_reader_is_epipe_and_no_signal) {
  UniqueFd near;
  UniqueFd far;
  pipe(near, far);
  Stream out = open(far.release());
  near.reset();
  BOOST_TEST(error_of(out.write("x")) == EPIPE);
  sigset_t pending;
  sigpending(&pending);
  BOOST_TEST(sigismember(&pending, SIGPIPE) == 0);
}

BOOST_AUTO_TEST_CASE(reader_that_goes_while_a_write_waits_is_epipe_and_no_signal) {
  UniqueFd near;
  UniqueFd far;
  pipe(near, far);
  Stream out = open(far.release());
  const std::vector<std::byte> sent = pattern(1000000);
  auto writing = out.write(sent);
  auto watching = out.monitor();
  loop.run_until_idle();
  BOOST_TEST(writing.is_in_progress());
  near.reset();
  BOOST_TEST(error_of(writing) == EPIPE);
  BOOST_TEST(error_of(watching) == EPIPE);
}

BOOST_AUTO_TEST_CASE(signal_that_the_application_has_blocked_and_pending_stays_pending) {
  sigset_t set;
  sigset_t old;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, &old);
  raise(SIGPIPE);
  UniqueFd near;
  UniqueFd far;
  pipe(near, far);
  Stream out = open(far.release());
  near.reset();
  BOOST_TEST(error_of(out.write("x")) == EPIPE);
  sigset_t pending;
  sigpending(&pending);
  BOOST_TEST(sigismember(&pending, SIGPIPE) == 1);
  const timespec now{};
  sigtimedwait(&set, nullptr, &now);
  BOOST_TEST(error_of(out.write("x")) == EPIPE);
  sigpending(&pending);
  BOOST_TEST(sigismember(&pending, SIGPIPE) == 0);
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

BOOST_AUTO_TEST_CASE(half_close_of_a_standard_pipe_shows_its_reader_the_end_and_keeps_the_number) {
  UniqueFd near;
  UniqueFd far;
  pipe(near, far);
  const StandardDescriptor output(0, far.get());
  far.reset();
  Stream out = open(0);
  Stream in = open(near.release());
  write_text(out, "all");
  BOOST_TEST(error_of(out.shutdown_write()) == 0);
  BOOST_TEST(read_text(in, 3) == "all");
  BOOST_TEST(end_of(in) == EPIPE);
  BOOST_TEST(::write(0, "into the void", 13) == 13);
  BOOST_TEST(error_of(out.write("x")) == EPIPE);
}

BOOST_AUTO_TEST_CASE(descriptor_above_2_is_closed_with_the_stream) {
  UniqueFd near;
  UniqueFd far;
  pipe(near, far);
  Stream in = open(near.release());
  const int number = far.release();
  Stream out = open(number);
  write_text(out, "x");
  out = Stream();
  BOOST_TEST(!is_open(number));
  BOOST_TEST(read_text(in, 1) == "x");
  BOOST_TEST(end_of(in) == EPIPE);
}

BOOST_AUTO_TEST_CASE(direction_that_the_descriptor_was_not_opened_for_is_ebadf) {
  UniqueFd near;
  UniqueFd far;
  pipe(near, far);
  Stream out = open(far.release());
  Stream in = open(near.release());
  BOOST_TEST(end_of(out) == EBADF);
  BOOST_TEST(error_of(in.write("x")) == EBADF);
  BOOST_TEST(error_of(in.shutdown_write()) == EBADF);  // what writing gave
}

BOOST_AUTO_TEST_CASE(monitor_of_a_pipe_tells_that_the_writer_went_without_reading) {
  UniqueFd near;
  UniqueFd far;
  pipe(near, far);
  Stream in = open(near.release());
  auto watching = in.monitor();
  BOOST_TEST(::write(far.get(), "left", 4) == 4);
  loop.run_until_idle();
  BOOST_TEST(watching.is_in_progress());
  far.reset();
  BOOST_TEST(error_of(watching) == EPIPE);
  BOOST_TEST(read_text(in, 4) == "left");
}

BOOST_AUTO_TEST_CASE(pending_bytes_counts_what_is_in_the_pipe) {
  UniqueFd near;
  UniqueFd far;
  pipe(near, far);
  Stream in = open(near.release());
  BOOST_TEST(::write(far.get(), "12345", 5) == 5);
  int err = -1;
  BOOST_TEST(in.pending_bytes(err) == 5U);
  BOOST_TEST(err == 0);
}

BOOST_AUTO_TEST_CASE(pipe_stream_destroyed_in_its_callback_and_after_its_loop) {
  UniqueFd near;
  UniqueFd far;
  pipe(near, far);
  auto in = std::make_unique<Stream>(open(near.release()));
  std::byte byte{};
  auto reading = in->read({&byte, 1});
  reading.set_callback([&in](auto&) { in.reset(); });
  BOOST_TEST(::write(far.get(), "12345", 5) == 5);
  BOOST_TEST(run_until([&in] { return in == nullptr; }));

  pipe(near, far);
  auto own = std::make_unique<Loop>();
  int err = 0;
  Stream late = open_stdio(*own, near.release(), err);
  auto waiting = late.read({&byte, 1});
  own.reset();
  BOOST_TEST(!late.is_open());
  waiting.recv(err);
  BOOST_TEST(err == ECANCELED);
}

// ---- terminals ----

BOOST_AUTO_TEST_CASE(terminal_gives_lines_and_takes_output) {
  int master_fd = -1;
  int slave_fd = -1;
  BOOST_TEST_REQUIRE(::openpty(&master_fd, &slave_fd, nullptr, nullptr, nullptr) == 0);
  const UniqueFd slave(slave_fd);
  const StandardDescriptor input(0, slave.get());
  Stream keyboard = open(0);
  Stream screen = open(0);
  // It is opened again, where the system can do that.
  BOOST_TEST(is_nonblocking(slave.get()) == tsock::test::uses_posix_alone());
  Stream user = open(master_fd);
  write_text(user, "typed\n");
  BOOST_TEST(read_text(keyboard, 6) == "typed\n");
  BOOST_TEST(read_text(user, 7) == "typed\r\n");  // the echo
  write_text(screen, "shown");
  BOOST_TEST(read_text(user, 5) == "shown");
  BOOST_TEST(error_of(screen.shutdown_write()) == ENOTSUP);
  write_text(user, "\x04");  // the end of input
  BOOST_TEST(end_of(keyboard) == EPIPE);
}

BOOST_AUTO_TEST_CASE(terminal_that_hangs_up_has_ended) {
  int master_fd = -1;
  int slave_fd = -1;
  BOOST_TEST_REQUIRE(::openpty(&master_fd, &slave_fd, nullptr, nullptr, nullptr) == 0);
  Stream user = open(master_fd);
  Stream keyboard = open(slave_fd);
  auto watching = keyboard.monitor();
  user = Stream();
  BOOST_TEST(end_of(keyboard) == EPIPE);
  BOOST_TEST(error_of(watching) == EPIPE);

  // Seen from the other side.
  BOOST_TEST_REQUIRE(::openpty(&master_fd, &slave_fd, nullptr, nullptr, nullptr) == 0);
  user = open(master_fd);
  UniqueFd(slave_fd).reset();
  BOOST_TEST(end_of(user) == EPIPE);
}

// ---- sockets and devices ----

BOOST_AUTO_TEST_CASE(socket_is_used_through_a_copy) {
  std::array<int, 2> fds{};
  BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()) == 0);
  const UniqueFd far(fds[1]);
  {
    const UniqueFd near(fds[0]);
    const StandardDescriptor input(0, near.get());
    Stream stream = open(0);
    BOOST_TEST(stream.native_handle() > 2);
    BOOST_TEST(::write(far.get(), "hello", 5) == 5);
    BOOST_TEST(read_text(stream, 5) == "hello");
    stream = Stream();
    BOOST_TEST(::send(far.get(), "still open", 10, MSG_NOSIGNAL) == 10);
    BOOST_TEST(is_open(0));
  }
  BOOST_TEST(::send(far.get(), "x", 1, MSG_NOSIGNAL) == -1);
}

BOOST_AUTO_TEST_CASE(null_device_ends_at_once_and_takes_everything) {
  Stream null = open(::open("/dev/null", O_RDWR | O_CLOEXEC));
  BOOST_TEST(end_of(null) == EPIPE);
  const std::vector<std::byte> bytes = pattern(1000000);
  BOOST_TEST(error_of(null.write(bytes)) == 0);
  BOOST_TEST(error_of(null.shutdown_write()) == ENOTSUP);
  BOOST_TEST(error_of(null.disconnect()) == 0);
}

BOOST_AUTO_TEST_CASE(device_that_is_always_ready_does_not_hold_the_loop) {
  Stream zero = open(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  Stream null = open(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  auto endless = pump(zero, null);
  BOOST_TEST(error_of(loop.sleep(std::chrono::milliseconds(1))) == 0);
  BOOST_TEST(endless.transferred() > 0U);
}

BOOST_AUTO_TEST_CASE(device_that_never_ends_takes_a_bounded_part_of_each_turn) {
  Stream zero = open_path("/dev/zero", FileMode::read);
  std::vector<std::byte> buffer(std::size_t{16} * 1024 * 1024);
  std::size_t reads = 0;
  std::function<void()> next;
  Request<ssize_t> reading;
  next = [&] {
    reading = zero.read(std::span(buffer).first(std::size_t{64} * 1024));
    reading.set_callback([&](auto&) {
      ++reads;
      next();
    });
  };
  next();
  loop.run_once();
  loop.run_once();
  BOOST_TEST(reads <= 64U);
  reading = {};
  // One read that is larger than what a turn gives.
  auto large = zero.read(buffer);
  loop.run_once();
  loop.run_once();
  BOOST_TEST(large.transferred() <= std::size_t{4} * 1024 * 1024);
  BOOST_TEST(error_of(large) == 0);
}

BOOST_AUTO_TEST_CASE(full_device_gives_its_error) {
  Stream full = open(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  BOOST_TEST(error_of(full.write("x")) == ENOSPC);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_a_stream_is_refused) {
  int err = 0;
  BOOST_TEST(!open_stdio(loop, -1, err));
  BOOST_TEST(err == EBADF);
  const UniqueFd folder(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  BOOST_TEST(!open_stdio(loop, folder.get(), err));
  BOOST_TEST(err == EISDIR);
  BOOST_TEST(is_open(folder.get()));
  const UniqueFd datagrams(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  BOOST_TEST(!open_stdio(loop, datagrams.get(), err));
  BOOST_TEST(err == EPROTOTYPE);
  BOOST_TEST(is_open(datagrams.get()));
}

// ---- files ----

BOOST_AUTO_TEST_CASE(file_is_read_from_the_place_of_its_descriptor_to_the_end) {
  const std::string path = make_file("in", "0123456789");
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  BOOST_TEST(::lseek(file.get(), 4, SEEK_SET) == 4);
  const StandardDescriptor input(0, file.get());
  Stream stream = open(0);
  BOOST_TEST(read_text(stream, 6) == "456789");
  BOOST_TEST(end_of(stream) == EPIPE);
  BOOST_TEST(::lseek(file.get(), 0, SEEK_CUR) == 10);
  BOOST_TEST(!is_nonblocking(file.get()));
}

BOOST_AUTO_TEST_CASE(large_file_is_copied_whole) {
  const std::vector<std::byte> bytes = pattern(1000003);
  const std::string path = make_file("in", test::text_of(bytes));
  {
    Stream in = open_path(path, FileMode::read);
    Stream out = open_path(directory / "out", FileMode::write);
    auto copying = pump(in, out);
    BOOST_TEST(error_of(copying) == 0);
    BOOST_TEST(error_of(out.disconnect()) == 0);
  }
  BOOST_TEST((content_of(directory / "out") == test::text_of(bytes)));
}

BOOST_AUTO_TEST_CASE(file_that_is_in_memory_is_read_without_a_thread) {
  const std::string content = test::text_of(pattern(300000));
  const std::string path = make_file("file", content);
  const UniqueFd probe(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::byte byte{};
  const iovec vector = make_vector(std::span(&byte, 1));
  int err = 0;
  if (os::read_without_waiting(probe.get(), {&vector, 1}, err) < 0) {
    BOOST_TEST_MESSAGE("skipped: the file system cannot tell what is in memory");
    return;
  }
  Stream file = open_path(path, FileMode::read);
  std::string text = read_text(file, 70000);  // begins with a thread
  end_of_file_calls();
  std::string rest(content.size() - text.size(), '?');
  auto reading = file.read(std::as_writable_bytes(std::span(rest)));
  const detail::LoopImpl& impl = detail::impl_of(loop.core());
  while (reading.is_in_progress()) {
    BOOST_TEST_REQUIRE(!impl.is_busy(detail::LoopImpl::Work::file));
    loop.run_once();
  }
  BOOST_TEST((text + rest == content));
  BOOST_TEST(end_of(file) == EPIPE);
}

BOOST_AUTO_TEST_CASE(file_of_which_a_part_is_in_memory_is_read_whole) {
  const std::string content = test::text_of(pattern(std::size_t{2} << 20));
  const std::string path = make_file("file", content);
  const UniqueFd other(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  BOOST_TEST_REQUIRE(::fsync(other.get()) == 0);
  ::posix_fadvise(other.get(), 200000, 1000000, POSIX_FADV_DONTNEED);
  Stream file = open_path(path, FileMode::read);
  BOOST_TEST((read_text(file, content.size()) == content));
  BOOST_TEST(end_of(file) == EPIPE);
}

BOOST_AUTO_TEST_CASE(pump_writes_more_to_a_file_at_once_than_to_a_socket) {
  const std::vector<std::byte> bytes = pattern(std::size_t{1} << 20);
  for (const bool is_file : {true, false}) {
    auto [source, writer] = unix_pair();
    auto [near, far] = unix_pair();
    Stream target = is_file ? open_path(directory / "out", FileMode::write) : std::move(near);
    std::size_t largest = 0;
    PumpOptions options;
    options.on_data = [&largest](std::span<const std::byte> data) {
      largest = std::max(largest, data.size());
    };
    auto writing = writer.write(bytes);
    loop.run_until_idle();  // the socket is full
    auto pumping = pump(source, target, std::move(options));
    std::vector<std::byte> got(bytes.size());
    if (!is_file) {
      auto reading = far.read(got);
      BOOST_TEST(error_of(reading) == 0);
    }
    BOOST_TEST(error_of(writing) == 0);
    BOOST_TEST(error_of(writer.disconnect()) == 0);
    BOOST_TEST(error_of(pumping) == 0);
    if (is_file) got = test::bytes_of(content_of(directory / "out"));
    BOOST_TEST((got == bytes));
    if (is_file) {
      BOOST_TEST(largest > 65536U);
    } else {
      BOOST_TEST(largest <= 65536U);
    }
    BOOST_TEST(largest <= 262144U);
  }
}

BOOST_AUTO_TEST_CASE(pump_into_a_file_that_is_cancelled_loses_no_byte) {
  const std::vector<std::byte> bytes = pattern(std::size_t{3} << 20);
  auto [source, writer] = unix_pair();
  Stream target = open_path(directory / "out", FileMode::write);
  auto writing = writer.write(bytes);
  for (int turn = 0; writing.is_in_progress(); ++turn) {
    auto pumping = pump(source, target);
    for (int i = 0; i < turn % 7 && writing.is_in_progress(); ++i) loop.run_once();
    if (turn % 2 == 0) pumping.cancel();
    if (turn % 2 == 0) static_cast<void>(error_of(pumping));
  }
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(error_of(writer.disconnect()) == 0);
  BOOST_TEST(error_of(pump(source, target)) == 0);
  BOOST_TEST((content_of(directory / "out") == test::text_of(bytes)));
}

BOOST_AUTO_TEST_CASE(write_is_in_the_file_when_it_completes) {
  Stream out = open_path(directory / "out", FileMode::write);
  write_text(out, "now");
  BOOST_TEST(content_of(directory / "out") == "now");
  write_text(out, " and then");
  BOOST_TEST(content_of(directory / "out") == "now and then");
}

BOOST_AUTO_TEST_CASE(full_disk_is_told_to_the_write_that_found_it_full) {
  const std::vector<std::byte> bytes = pattern(std::size_t{60} * 1024);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  // A worker thread takes 64 KiB at a time: the first write and the beginning of the second one.
  for (const std::size_t room : {std::size_t{32} * 1024, std::size_t{64} * 1024}) {
    const rlimit limit{room, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    Stream out = open_path(directory / "out", FileMode::write);
    Queue queue(loop);
    auto first = out.write(queue, bytes);
    auto second = out.write(queue, bytes);
    BOOST_TEST(error_of(first) == (room < bytes.size() ? EFBIG : 0));
    BOOST_TEST(error_of(second) == EFBIG);
    ::setrlimit(RLIMIT_FSIZE, &before);
  }
  std::signal(SIGXFSZ, handler);
}

BOOST_AUTO_TEST_CASE(transferred_of_a_file_is_what_is_in_the_file_when_the_disk_is_full) {
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const std::vector<std::byte> bytes = pattern(400000);
  // On a border of what a worker thread writes at once, beside it, in the first piece, and none at all.
  for (const std::size_t room :
       {std::size_t{262144}, std::size_t{262145}, std::size_t{100}, std::size_t{0}}) {
    const std::string path = directory / "out";
    const rlimit limit{room, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    Stream out = open_path(path, FileMode::write);
    auto writing = out.write(bytes);
    BOOST_TEST(error_of(writing) == EFBIG);  // and SIGXFSZ, whose default action kills, reaches nobody
    BOOST_TEST(writing.transferred() == room);
    BOOST_TEST(content_of(path).size() == room);
    // Several writes that went to the thread together.
    Stream again = open_path(path, FileMode::write);
    const std::span<const std::byte> all(bytes);
    Queue queue(loop);
    auto first = again.write(queue, all.first(40));
    auto second = again.write(queue, all.subspan(40, 50000));
    BOOST_TEST(error_of(first) == (room < 40 ? EFBIG : 0));
    BOOST_TEST(error_of(second) == (room < 50000 ? EFBIG : 0));
    BOOST_TEST(first.transferred() + second.transferred() == std::min(room, std::size_t{50040}));
    ::setrlimit(RLIMIT_FSIZE, &before);
  }
}

BOOST_AUTO_TEST_CASE(no_thread_to_be_had_is_eagain_and_what_comes_later_tries_again) {
  const std::string path = make_file("file", "content");
  Stream in = open_path(path, FileMode::read);
  Stream out = open_path(directory / "out", FileMode::write);
  {
    const test::ThreadShortage shortage;
    std::array<std::byte, 7> buffer{};
    BOOST_TEST(error_of(in.read(buffer)) == EAGAIN);
    auto writing = out.write("lost");
    BOOST_TEST(error_of(writing) == EAGAIN);
    BOOST_TEST(writing.transferred() == 0U);
    Stream closed = open_path(path, FileMode::read);
    BOOST_TEST(error_of(closed.disconnect()) == 0);
  }
  BOOST_TEST(read_text(in, 7) == "content");
  write_text(out, "kept");
  BOOST_TEST(content_of(directory / "out") == "kept");
}

BOOST_AUTO_TEST_CASE(file_modes_empty_append_and_keep) {
  const std::string path = make_file("file", "old");
  {
    Stream file = open_path(path, FileMode::append);
    write_text(file, "+1");
    std::ofstream(path, std::ios::app) << "+other";
    write_text(file, "+2");
  }
  BOOST_TEST(content_of(path) == "old+1+other+2");
  {
    Stream file = open_path(path, FileMode::read_write);
    BOOST_TEST(read_text(file, 13) == "old+1+other+2");
    BOOST_TEST(end_of(file) == EPIPE);
    write_text(file, "!");
  }
  BOOST_TEST(content_of(path) == "old+1+other+2!");
  { const Stream file = open_path(path, FileMode::write); }
  BOOST_TEST(content_of(path).empty());
}

BOOST_AUTO_TEST_CASE(a_file_may_be_longer_than_31_bits_count) {
  constexpr std::int64_t length = std::int64_t{3} << 30;
  const std::string path = make_file("long", "");
  BOOST_TEST_REQUIRE(::truncate(path.c_str(), static_cast<off_t>(length)) == 0);
  Stream out = open_path(path, FileMode::append);
  write_text(out, "end");
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  BOOST_TEST(::lseek(file.get(), static_cast<off_t>(length), SEEK_SET) == length);
  const StandardDescriptor input(0, file.get());
  Stream in = open(0);
  BOOST_TEST(read_text(in, 3) == "end");
  BOOST_TEST(end_of(in) == EPIPE);
}

BOOST_AUTO_TEST_CASE(inherited_append_descriptor_appends) {
  const std::string path = make_file("log", "1\n");
  const UniqueFd log(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  const StandardDescriptor output(0, log.get());
  Stream out = open(0);
  std::ofstream(path, std::ios::app) << "2\n";
  write_text(out, "3\n");
  BOOST_TEST(content_of(path) == "1\n2\n3\n");
  out = Stream();
  BOOST_TEST(is_open(0));
}

BOOST_AUTO_TEST_CASE(file_errors_are_those_of_the_system) {
  int err = 0;
  const char* const no_path = nullptr;
  BOOST_TEST(!open_file(loop, no_path, FileMode::read, err));
  BOOST_TEST(err == EFAULT);
  BOOST_TEST(!open_file(loop, (directory / "none").c_str(), FileMode::read, err));
  BOOST_TEST(err == ENOENT);
  BOOST_TEST(!open_file(loop, directory.path().c_str(), FileMode::read, err));
  BOOST_TEST(err == EISDIR);
  const std::string path = make_file("file", "content");
  Stream in = open_path(path, FileMode::read);
  BOOST_TEST(error_of(in.write("x")) == EBADF);
  BOOST_TEST(read_text(in, 7) == "content");
  Stream out = open_path(path, FileMode::append);
  BOOST_TEST(end_of(out) == EBADF);
  BOOST_TEST(error_of(out.shutdown_write()) == ENOTSUP);
  write_text(out, "y");
  Stream full = open_path("/dev/full", FileMode::append);
  BOOST_TEST(error_of(full.write("x")) == ENOSPC);
}

BOOST_AUTO_TEST_CASE(cancelled_read_of_a_file_loses_no_byte) {
  const std::string path = make_file("file", "unread");
  Stream in = open_path(path, FileMode::read);
  std::array<std::byte, 100> buffer{};
  auto reading = in.read(buffer);
  BOOST_TEST(reading.cancel());
  BOOST_TEST(error_of(reading) == ECANCELED);
  loop.run();  // the worker thread has filled the buffer by now
  int err = 0;
  BOOST_TEST(in.pending_bytes(err) == 6U);
  BOOST_TEST(read_text(in, 6) == "unread");
}

BOOST_AUTO_TEST_CASE(file_stream_destroyed_while_a_worker_thread_uses_it) {
  const std::string path = make_file("file", "content");
  for (const FileMode mode : {FileMode::read, FileMode::append}) {
    auto file = std::make_unique<Stream>(open_path(path, mode));
    std::array<std::byte, 100> buffer{};
    auto moving = mode == FileMode::read ? file->read(buffer) : file->write(buffer);
    if (mode == FileMode::append) loop.run_until_idle();
    file.reset();
    if (mode == FileMode::read) BOOST_TEST(error_of(moving) == ECANCELED);
    loop.run();
  }
  auto file = std::make_unique<Stream>(open_path(path, FileMode::read));
  std::byte byte{};
  auto reading = file->read({&byte, 1});
  reading.set_callback([&file](auto&) { file.reset(); });
  BOOST_TEST(run_until([&file] { return file == nullptr; }));
}

BOOST_AUTO_TEST_CASE(loop_destroyed_while_a_worker_thread_uses_a_file) {
  const std::string path = make_file("file", "content");
  auto own = std::make_unique<Loop>();
  int err = 0;
  Stream in = open_file(*own, path.c_str(), FileMode::read, err);
  Stream out = open_file(*own, path.c_str(), FileMode::append, err);
  std::array<std::byte, 100> buffer{};
  auto reading = in.read(buffer);
  const std::vector<std::byte> bytes = pattern(500000);
  auto writing = out.write(bytes);
  own->run_until_idle();
  own.reset();
  BOOST_TEST(!in.is_open());
  BOOST_TEST(!reading.is_in_progress());
}

BOOST_AUTO_TEST_CASE(file_with_nothing_going_on_holds_no_buffer) {
  const std::string path = make_file("file", "content");
  Stream file = open_path(path, FileMode::read_write);
  const std::size_t before = loop.core().live_blocks();
  BOOST_TEST(read_text(file, 7) == "content");
  write_text(file, "more");
  BOOST_TEST(loop.core().live_blocks() == before);
}

BOOST_AUTO_TEST_CASE(no_descriptor_is_left_behind) {
  const auto count = [] {
    std::size_t open = 0;
    for (int fd = 0; fd < 200; ++fd) open += is_open(fd) ? 1U : 0U;
    return open;
  };
  const std::size_t before = count();
  {
    UniqueFd near;
    UniqueFd far;
    pipe(near, far);
    const StandardDescriptor input(0, near.get());
    const Stream in = open(0);
    const Stream out = open(far.release());
    const Stream null = open(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const Stream file = open_path(make_file("file", ""), FileMode::read);
  }
  loop.run();
  BOOST_TEST(count() == before);
}

BOOST_AUTO_TEST_SUITE_END()
