#include "tsock/uv_stream.hpp"

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <tsock/tsock.hpp>
#include <vector>

#include "core/loop/loop_core.hpp"
#include "support/loop_fixture.hpp"

using namespace tsock;
using tsock::test::LoopFixture;
using tsock::test::pattern;

namespace {

uv_stream_t* as_stream(auto* handle) { return reinterpret_cast<uv_stream_t*>(handle); }
uv_handle_t* as_handle(auto* handle) { return reinterpret_cast<uv_handle_t*>(handle); }

int freed = 0;

template <class Handle>
UvStreamOwnership take() {
  return UvStreamOwnership::take([](uv_stream_s* handle) {
    delete reinterpret_cast<Handle*>(handle);
    ++freed;
  });
}

struct UvStreamFixture : LoopFixture {
  /// The default action of SIGPIPE is to kill this program.
  UvStreamFixture() {
    std::signal(SIGPIPE, SIG_DFL);
    freed = 0;
  }

  static std::pair<UniqueFd, UniqueFd> sockets() {
    std::array<int, 2> fds{};
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
  }
  static std::pair<UniqueFd, UniqueFd> pipe() {
    std::array<int, 2> fds{};
    BOOST_TEST_REQUIRE(::pipe2(fds.data(), O_CLOEXEC) == 0);
    return {UniqueFd(fds[0]), UniqueFd(fds[1])};
  }
  uv_pipe_t* pipe_handle(UniqueFd fd) {
    auto handle = std::make_unique<uv_pipe_t>();
    uv_pipe_init(loop.native_handle(), handle.get(), 0);
    BOOST_TEST_REQUIRE(uv_pipe_open(handle.get(), fd.release()) == 0);
    return handle.release();
  }
  Stream wrap(uv_pipe_t* handle) {
    int err = -1;
    Stream stream = wrap_uv_stream(loop, as_stream(handle), take<uv_pipe_t>(), {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
  Stream wrap(UniqueFd fd) { return wrap(pipe_handle(std::move(fd))); }
  Stream adopt(UniqueFd fd) {
    int err = -1;
    UniqueSocket socket(std::move(fd));
    Stream stream = Stream::adopt(loop, socket, {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
  /// A wrapped handle and a plain stream at its other end.
  std::pair<Stream, Stream> wrapped_pair() {
    auto [near, far] = sockets();
    return {wrap(std::move(near)), adopt(std::move(far))};
  }
  /// For handles on the stack of a test.
  void close_now(uv_pipe_t& handle) {
    uv_close(as_handle(&handle), nullptr);
    loop.run_until_idle();
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
};

/// No descriptor can be opened while it lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &limit_);
    rlimit none = limit_;
    none.rlim_cur = 3;
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &limit_); }

 private:
  rlimit limit_{};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(uv_stream, UvStreamFixture)

BOOST_AUTO_TEST_CASE(bytes_go_both_ways) {
  auto [wrapped, plain] = wrapped_pair();
  write_text(wrapped, "to the plain one");
  BOOST_TEST(read_text(plain, 16) == "to the plain one");
  write_text(plain, "and back");
  BOOST_TEST(read_text(wrapped, 3) == "and");
  BOOST_TEST(read_text(wrapped, 5) == " back");
}

BOOST_AUTO_TEST_CASE(large_messages_pass_whole_in_both_directions) {
  auto [wrapped, plain] = wrapped_pair();
  const std::vector<std::byte> sent = pattern(3000000);
  BOOST_TEST((send_through(wrapped, plain, sent) == sent));
  BOOST_TEST((send_through(plain, wrapped, sent) == sent));
}

BOOST_AUTO_TEST_CASE(messages_are_read_one_by_one) {
  auto [wrapped, plain] = wrapped_pair();
  std::string lines;
  for (int i = 0; i < 5000; ++i) lines += "line " + std::to_string(i) + "\n";
  auto writing = plain.write(lines);
  std::string seen;
  for (int i = 0; i < 5000; ++i) {
    auto reading = wrapped.readv_pdu(framing::line());
    int err = 0;
    const Pdu pdu = fetch(reading, err);
    BOOST_TEST_REQUIRE(err == 0);
    seen += test::text_of(pdu.bytes());
  }
  BOOST_TEST((seen == lines));
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_AUTO_TEST_CASE(reads_only_while_somebody_reads_and_at_most_one_buffer_ahead) {
  auto [near, far] = sockets();
  uv_pipe_t* const handle = pipe_handle(std::move(near));
  Stream wrapped = wrap(handle);
  Stream plain = adopt(std::move(far));
  const std::vector<std::byte> sent = pattern(1000000);
  auto writing = plain.write(sent);
  loop.run_until_idle();
  BOOST_TEST(uv_is_active(as_handle(handle)) == 0);
  const std::size_t before = writing.transferred();
  std::byte byte{};
  auto reading = wrapped.read({&byte, 1});
  BOOST_TEST(uv_is_active(as_handle(handle)) != 0);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST((byte == sent.front()));
  loop.run_until_idle();
  BOOST_TEST(uv_is_active(as_handle(handle)) == 0);
  BOOST_TEST(writing.transferred() - before <= 2 * 65536U);
  std::vector<std::byte> rest(sent.size() - 1);
  reading = wrapped.read(rest);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST((std::equal(rest.begin(), rest.end(), sent.begin() + 1)));
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_AUTO_TEST_CASE(bound_on_reading_ahead_is_one_on_the_buffer_of_a_handle_within_its_limits) {
  struct Case {
    std::size_t most;
    std::size_t taken;
  };
  for (const Case& one : {Case{0, 4096}, Case{1, 4096}, Case{10000, 10000}, Case{1000000, 65536}}) {
    for (const bool at_once : {true, false}) {
      BOOST_TEST_CONTEXT("bound " << one.most << ", at once " << at_once) {
        auto [near, far] = sockets();
        const UniqueFd below(::fcntl(near.get(), F_DUPFD_CLOEXEC, 3));
        const StreamOptions options{.max_read_ahead = one.most};
        int err = -1;
        Stream wrapped = wrap_uv_stream(loop, as_stream(pipe_handle(std::move(near))), take<uv_pipe_t>(),
                                        at_once ? options : StreamOptions{}, err);
        BOOST_TEST_REQUIRE(err == 0);
        if (!at_once) BOOST_TEST(wrapped.set_options(options) == 0);
        Stream plain = adopt(std::move(far));
        const std::vector<std::byte> sent = pattern(90000);
        BOOST_TEST(error_of(plain.write(sent)) == 0);
        std::vector<std::byte> received(sent.size());
        BOOST_TEST(error_of(wrapped.read(std::span(received).first(1))) == 0);
        loop.run_until_idle();
        int waiting = 0;
        BOOST_TEST_REQUIRE(::ioctl(below.get(), FIONREAD, &waiting) == 0);
        BOOST_TEST(static_cast<std::size_t>(waiting) == sent.size() - one.taken);
        BOOST_TEST(error_of(wrapped.read(std::span(received).subspan(1))) == 0);
        BOOST_TEST((received == sent));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(cancelled_read_loses_no_byte) {
  auto [wrapped, plain] = wrapped_pair();
  std::array<std::byte, 10> buffer{};
  auto reading = wrapped.read(buffer);
  write_text(plain, "01234");
  BOOST_TEST(run_until([&reading] { return reading.transferred() == 5; }));
  BOOST_TEST(reading.cancel());
  BOOST_TEST(error_of(reading) == ECANCELED);
  write_text(plain, "56789");
  BOOST_TEST(read_text(wrapped, 10) == "0123456789");
}

BOOST_AUTO_TEST_CASE(end_of_stream_leaves_the_sending_side_open) {
  auto [wrapped, plain] = wrapped_pair();
  write_text(plain, "last");
  BOOST_TEST(error_of(plain.shutdown_write()) == 0);
  BOOST_TEST(read_text(wrapped, 4) == "last");
  BOOST_TEST(end_of(wrapped) == EPIPE);
  BOOST_TEST(end_of(wrapped) == EPIPE);
  write_text(wrapped, "answer");
  BOOST_TEST(read_text(plain, 6) == "answer");
}

BOOST_AUTO_TEST_CASE(shutdown_write_ends_the_sending_side_after_what_was_written) {
  auto [wrapped, plain] = wrapped_pair();
  const std::vector<std::byte> sent = pattern(1000000);
  auto writing = wrapped.write(sent);
  auto closing = wrapped.shutdown_write();
  std::vector<std::byte> received(sent.size());
  auto reading = plain.read(received);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST((received == sent));
  BOOST_TEST(error_of(closing) == 0);
  BOOST_TEST(end_of(plain) == EPIPE);
  BOOST_TEST(error_of(wrapped.write("x")) == EPIPE);
  write_text(plain, "more");
  BOOST_TEST(read_text(wrapped, 4) == "more");
}

BOOST_AUTO_TEST_CASE(first_error_of_the_connection_is_what_later_writes_get) {
  auto [wrapped, plain] = tcp_pair();
  int err = 0;
  std::vector<std::byte> unread;
  auto handle = std::make_unique<uv_tcp_t>();
  uv_tcp_init(loop.native_handle(), handle.get());
  BOOST_TEST_REQUIRE(uv_tcp_open(handle.get(), wrapped.release_socket(unread, err).release()) == 0);
  Stream stream = wrap_uv_stream(loop, as_stream(handle.release()), take<uv_tcp_t>(), {}, err);
  BOOST_TEST(!stream.remote_address().is_empty());
  plain.abort();
  BOOST_TEST(end_of(stream) == ECONNRESET);
  BOOST_TEST(error_of(stream.write("x")) == ECONNRESET);
}

BOOST_AUTO_TEST_CASE(bytes_can_be_read_after_a_write_has_failed) {
  auto [wrapped, plain] = wrapped_pair();
  write_text(plain, "parting words");
  plain = Stream();
  BOOST_TEST(error_of(wrapped.write("x")) == EPIPE);
  BOOST_TEST(read_text(wrapped, 13) == "parting words");
}

BOOST_AUTO_TEST_CASE(reader_that_goes_is_epipe_and_no_signal) {
  auto [near, far] = pipe();
  Stream out = wrap(std::move(far));
  const std::vector<std::byte> sent = pattern(1000000);
  auto writing = out.write(sent);
  loop.run_until_idle();
  BOOST_TEST(writing.is_in_progress());
  BOOST_TEST(writing.transferred() != 0U);
  near.reset();
  BOOST_TEST(error_of(writing) == EPIPE);
  BOOST_TEST(error_of(out.write("x")) == EPIPE);
}

BOOST_AUTO_TEST_CASE(true_pipe_has_no_half_close) {
  auto [near, far] = pipe();
  Stream out = wrap(std::move(far));
  BOOST_TEST(error_of(out.shutdown_write()) == ENOTSUP);
  write_text(out, "still open");
}

BOOST_AUTO_TEST_CASE(monitor_tells_a_break_without_reading) {
  auto [wrapped, plain] = wrapped_pair();
  auto watching = wrapped.monitor();
  write_text(plain, "unread");
  loop.run_until_idle();
  BOOST_TEST(watching.is_in_progress());
  plain = Stream();
  BOOST_TEST(error_of(watching) == EPIPE);
  BOOST_TEST(read_text(wrapped, 6) == "unread");
}

BOOST_AUTO_TEST_CASE(pending_bytes_counts_what_the_kernel_has) {
  auto [wrapped, plain] = wrapped_pair();
  write_text(plain, "12345");
  int err = -1;
  BOOST_TEST(wrapped.pending_bytes(err) == 5U);
  BOOST_TEST(read_text(wrapped, 2) == "12");
  BOOST_TEST(wrapped.pending_bytes(err) == 3U);
  BOOST_TEST(err == 0);
}

BOOST_AUTO_TEST_CASE(writes_go_out_also_when_no_descriptor_is_left) {
  auto [wrapped, plain] = wrapped_pair();
  const std::vector<std::byte> sent = pattern(2000000);
  std::vector<std::byte> received(sent.size());
  {
    const NoDescriptors none;
    auto writing = wrapped.write(sent);
    auto closing = wrapped.shutdown_write();
    loop.run_until_idle();
    BOOST_TEST(writing.is_in_progress());
    auto reading = plain.read(received);
    BOOST_TEST(error_of(reading) == 0);
    BOOST_TEST(error_of(writing) == 0);
    BOOST_TEST(error_of(closing) == 0);
  }
  BOOST_TEST((received == sent));
}

#if SIZE_MAX > UINT32_MAX
BOOST_AUTO_TEST_CASE(vector_whose_size_does_not_fit_32_bits_is_written_on) {
  auto [wrapped, plain] = wrapped_pair();
  // Address space; only what is read ever gets memory.
  constexpr std::size_t size = std::size_t{1} << 32U;
  void* const place = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  BOOST_TEST_REQUIRE((place != MAP_FAILED));
  {
    auto writing = wrapped.write(std::span(static_cast<const std::byte*>(place), size));
    loop.run_until_idle();
    std::vector<std::byte> received(1000000);
    auto reading = plain.read(received);
    BOOST_TEST(error_of(reading) == 0);
    BOOST_TEST(writing.is_in_progress());
    BOOST_TEST(writing.transferred() >= received.size());
  }
  BOOST_TEST(::munmap(place, size) == 0);
}
#endif

BOOST_AUTO_TEST_CASE(stream_destroyed_while_libuv_has_a_slice_of_it) {
  auto [wrapped, plain] = wrapped_pair();
  const std::vector<std::byte> sent = pattern(2000000);
  {
    const NoDescriptors none;
    auto writing = wrapped.write(sent);
    loop.run_until_idle();
    wrapped = Stream();
    BOOST_TEST(error_of(writing) == ECANCELED);
  }
  loop.run_until_idle();
  BOOST_TEST(freed == 1);
}

BOOST_AUTO_TEST_CASE(child_process_is_talked_to_through_its_stdio) {
  auto in = std::make_unique<uv_pipe_t>();
  auto out = std::make_unique<uv_pipe_t>();
  uv_pipe_init(loop.native_handle(), in.get(), 0);
  uv_pipe_init(loop.native_handle(), out.get(), 0);
  std::array<uv_stdio_container_t, 3> stdio{};
  stdio[0].flags = static_cast<uv_stdio_flags>(UV_CREATE_PIPE | UV_READABLE_PIPE);
  stdio[0].data.stream = as_stream(in.get());
  stdio[1].flags = static_cast<uv_stdio_flags>(UV_CREATE_PIPE | UV_WRITABLE_PIPE);
  stdio[1].data.stream = as_stream(out.get());
  stdio[2].flags = UV_INHERIT_FD;
  stdio[2].data.fd = 2;
  std::string program = "/bin/cat";
  std::array<char*, 2> arguments{program.data(), nullptr};
  struct Child {
    uv_process_t process{};
    bool exited = false;
    bool closed = false;
  } child;
  uv_process_options_t options{};
  options.file = program.c_str();
  options.args = arguments.data();
  options.stdio = stdio.data();
  options.stdio_count = 3;
  options.exit_cb = [](uv_process_t* process, std::int64_t, int) {
    static_cast<Child*>(process->data)->exited = true;
    uv_close(as_handle(process),
             [](uv_handle_t* handle) { static_cast<Child*>(handle->data)->closed = true; });
  };
  child.process.data = &child;
  BOOST_TEST_REQUIRE(uv_spawn(loop.native_handle(), &child.process, &options) == 0);
  Stream to_child = wrap(in.release());
  Stream from_child = wrap(out.release());
  const std::vector<std::byte> sent = pattern(1000000);
  BOOST_TEST((send_through(to_child, from_child, sent) == sent));
  BOOST_TEST(error_of(to_child.shutdown_write()) == 0);
  BOOST_TEST(end_of(from_child) == EPIPE);
  BOOST_TEST(run_until([&child] { return child.closed; }));
  BOOST_TEST(child.exited);
  // Nobody reads any more.
  BOOST_TEST(error_of(to_child.write("x")) == EPIPE);
}

BOOST_AUTO_TEST_CASE(terminal_gives_lines_and_its_hang_up_is_the_end) {
  int master_fd = -1;
  int slave_fd = -1;
  BOOST_TEST_REQUIRE(::openpty(&master_fd, &slave_fd, nullptr, nullptr, nullptr) == 0);
  UniqueFd slave(slave_fd);
  auto terminal = std::make_unique<uv_tty_t>();
  BOOST_TEST_REQUIRE(uv_tty_init(loop.native_handle(), terminal.get(), slave.get(), 0) == 0);
  int err = -1;
  Stream keyboard = wrap_uv_stream(loop, as_stream(terminal.release()), take<uv_tty_t>(), {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  Stream user = open_stdio(loop, master_fd, err);
  BOOST_TEST_REQUIRE(err == 0);
  write_text(user, "typed\n");
  BOOST_TEST(read_text(keyboard, 6) == "typed\n");
  write_text(keyboard, "shown");
  BOOST_TEST(read_text(user, 12) == "typed\r\nshown");
  BOOST_TEST(error_of(keyboard.shutdown_write()) == ENOTSUP);
  user = Stream();
  BOOST_TEST(end_of(keyboard) == EPIPE);

  // Seen from the other side.
  BOOST_TEST_REQUIRE(::openpty(&master_fd, &slave_fd, nullptr, nullptr, nullptr) == 0);
  terminal = std::make_unique<uv_tty_t>();
  BOOST_TEST_REQUIRE(uv_tty_init(loop.native_handle(), terminal.get(), master_fd, 0) == 0);
  user = wrap_uv_stream(loop, as_stream(terminal.release()), take<uv_tty_t>(), {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  UniqueFd(slave_fd).reset();
  BOOST_TEST(end_of(user) == EPIPE);
  user = Stream();
  loop.run_until_idle();
}

BOOST_AUTO_TEST_CASE(taken_handle_is_closed_and_freed_with_the_stream) {
  auto [wrapped, plain] = wrapped_pair();
  wrapped = Stream();
  BOOST_TEST(end_of(plain) == EPIPE);
  BOOST_TEST(freed == 1);

  auto [second, other] = wrapped_pair();
  BOOST_TEST(error_of(second.disconnect()) == 0);
  BOOST_TEST(end_of(other) == EPIPE);
  BOOST_TEST(freed == 2);

  auto [third, last] = wrapped_pair();
  third.abort();
  BOOST_TEST(end_of(last) == EPIPE);
  BOOST_TEST(freed == 3);
}

BOOST_AUTO_TEST_CASE(borrowed_handle_is_given_back_as_it_was) {
  auto [near, far] = sockets();
  uv_pipe_t handle;
  uv_pipe_init(loop.native_handle(), &handle, 0);
  BOOST_TEST_REQUIRE(uv_pipe_open(&handle, near.release()) == 0);
  int mark = 0;
  handle.data = &mark;
  Stream plain = adopt(std::move(far));
  for (const bool is_reading : {false, true}) {
    int err = -1;
    Stream stream = wrap_uv_stream(loop, as_stream(&handle), UvStreamOwnership::borrow(), {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    BOOST_TEST(uv_has_ref(as_handle(&handle)) == 0);
    write_text(stream, "hello");
    BOOST_TEST(read_text(plain, 5) == "hello");
    std::byte byte{};
    Request<ssize_t> reading;
    if (is_reading) reading = stream.read({&byte, 1});
    stream = Stream();
    BOOST_TEST(handle.data == &mark);
    BOOST_TEST(uv_has_ref(as_handle(&handle)) == 1);
    BOOST_TEST(uv_is_active(as_handle(&handle)) == 0);
  }
  close_now(handle);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_wrapped_is_refused) {
  int err = 0;
  BOOST_TEST(!wrap_uv_stream(loop, nullptr, UvStreamOwnership::borrow(), {}, err));
  BOOST_TEST(err == EINVAL);
  uv_pipe_t handle;
  uv_pipe_init(loop.native_handle(), &handle, 0);
  BOOST_TEST(!wrap_uv_stream(loop, as_stream(&handle), UvStreamOwnership::borrow(), {}, err));
  BOOST_TEST(err == ENOTCONN);
  auto [near, far] = sockets();
  BOOST_TEST_REQUIRE(uv_pipe_open(&handle, near.release()) == 0);
  {
    Loop other;
    BOOST_TEST(!wrap_uv_stream(other, as_stream(&handle), UvStreamOwnership::borrow(), {}, err));
    BOOST_TEST(err == EINVAL);
  }
  uv_read_start(
      as_stream(&handle), [](uv_handle_t*, std::size_t, uv_buf_t*) {},
      [](uv_stream_t*, ssize_t, const uv_buf_t*) {});
  BOOST_TEST(!wrap_uv_stream(loop, as_stream(&handle), UvStreamOwnership::borrow(), {}, err));
  BOOST_TEST(err == EBUSY);
  uv_close(as_handle(&handle), nullptr);
  BOOST_TEST(!wrap_uv_stream(loop, as_stream(&handle), UvStreamOwnership::borrow(), {}, err));
  BOOST_TEST(err == EINVAL);
  loop.run_until_idle();
}

BOOST_AUTO_TEST_CASE(stream_destroyed_in_the_callback_of_its_read) {
  auto [wrapped, plain] = wrapped_pair();
  auto stream = std::make_unique<Stream>(std::move(wrapped));
  std::byte byte{};
  auto reading = stream->read({&byte, 1});
  reading.set_callback([&stream](auto&) { stream.reset(); });
  write_text(plain, "many bytes");
  BOOST_TEST(run_until([] { return freed == 1; }));
}

BOOST_AUTO_TEST_CASE(borrowed_stream_destroyed_in_the_callback_of_its_read) {
  auto [near, far] = sockets();
  uv_pipe_t handle;
  uv_pipe_init(loop.native_handle(), &handle, 0);
  BOOST_TEST_REQUIRE(uv_pipe_open(&handle, near.release()) == 0);
  Stream plain = adopt(std::move(far));
  int err = -1;
  auto stream = std::make_unique<Stream>(
      wrap_uv_stream(loop, as_stream(&handle), UvStreamOwnership::borrow(), {}, err));
  std::byte byte{};
  auto reading = stream->read({&byte, 1});
  reading.set_callback([&stream](auto&) { stream.reset(); });
  write_text(plain, "many bytes");
  BOOST_TEST(run_until([&stream] { return stream == nullptr; }));
  close_now(handle);
}

BOOST_AUTO_TEST_CASE(loop_destroyed_first_closes_the_handle) {
  auto own = std::make_unique<Loop>();
  auto [near, far] = sockets();
  auto handle = std::make_unique<uv_pipe_t>();
  uv_pipe_init(own->native_handle(), handle.get(), 0);
  BOOST_TEST_REQUIRE(uv_pipe_open(handle.get(), near.release()) == 0);
  int err = -1;
  Stream stream = wrap_uv_stream(*own, as_stream(handle.release()), take<uv_pipe_t>(), {}, err);
  std::byte byte{};
  auto reading = stream.read({&byte, 1});
  const std::vector<std::byte> sent = pattern(1000000);
  auto writing = stream.write(sent);
  auto watching = stream.monitor();
  own->run_until_idle();
  own.reset();
  BOOST_TEST(freed == 1);
  BOOST_TEST(!stream.is_open());
  reading.recv(err);
  BOOST_TEST(err == ECANCELED);
}

BOOST_AUTO_TEST_CASE(handle_does_not_keep_the_loop_running) {
  auto [wrapped, plain] = wrapped_pair();
  loop.run();
  BOOST_TEST(wrapped.is_open());
}

BOOST_AUTO_TEST_CASE(idle_stream_holds_no_buffer) {
  auto [wrapped, plain] = wrapped_pair();
  const std::size_t before = loop.core().live_blocks();
  write_text(plain, "x");
  BOOST_TEST(read_text(wrapped, 1) == "x");
  BOOST_TEST(loop.core().live_blocks() == before);
}

BOOST_AUTO_TEST_SUITE_END()
