#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <tsock/listener.hpp>
#include <tsock/stdio_stream.hpp>
#include <tsock/uv_stream.hpp>

#include "contract/system_backends.hpp"
#include "support/system.hpp"
#include "support/tail_stream.hpp"
#include "uv/file_stream.hpp"
#include "uv/loop_impl.hpp"

// Unix sockets, pipes and files.
namespace tsock::test {

namespace {

std::pair<Stream, Stream> over_listener(LoopFixture& fixture, const Address& address) {
  int err = 0;
  Listener listener = Listener::listen(fixture.loop, address, {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  Request<Stream> accepting = listener.accept();
  Request<Stream> connecting = Stream::connect(fixture.loop, listener.local_address());
  Stream first = fixture.fetch(connecting, err);
  BOOST_TEST_REQUIRE(err == 0);
  Stream second = fixture.fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0);
  return {std::move(first), std::move(second)};
}

std::pair<Stream, Stream> unix_path(LoopFixture& fixture) {
  const TempDirectory directory;
  int err = 0;
  return over_listener(fixture, Address::unix_from_path(directory / "socket", err));
}

std::pair<Stream, Stream> unix_abstract(LoopFixture& fixture) {
  static unsigned count = 0;
  int err = 0;
  const std::string name = "tsock-contract-" + std::to_string(getpid()) + '-' + std::to_string(++count);
  return over_listener(fixture, Address::unix_abstract(name, err));
}

std::pair<Stream, Stream> adopted(LoopFixture& fixture) {
  std::array<int, 2> fds{};
  BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()) == 0);
  UniqueSocket first(fds[0]);
  UniqueSocket second(fds[1]);
  Stream left = adopt(fixture, std::move(first));
  return {std::move(left), adopt(fixture, std::move(second))};
}

// A message may have as many bytes as the buffer, less what the kernel adds; the kernel doubles what it is
// asked for. One such message leaves no room.
constexpr std::size_t longest_message = 65536;
constexpr std::size_t added_by_kernel = 32;

std::pair<Stream, Stream> message_sockets(LoopFixture& fixture) {
  int err = 0;
  auto pair = Stream::message_socketpair(fixture.loop, err);
  BOOST_TEST_REQUIRE(err == 0);
  for (Stream* const stream : {&pair.first, &pair.second})
    BOOST_TEST_REQUIRE(stream->set_options({.send_buffer = (longest_message + added_by_kernel) / 2}) == 0);
  return pair;
}

// One of libuv's own streams, which is connected.
template <class Handle>
Stream over_uv(LoopFixture& fixture, std::unique_ptr<Handle> handle) {
  int err = 0;
  const auto ownership =
      UvStreamOwnership::take([](uv_stream_s* closed) { delete reinterpret_cast<Handle*>(closed); });
  Stream stream =
      wrap_uv_stream(fixture.loop, reinterpret_cast<uv_stream_t*>(handle.release()), ownership, {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  return stream;
}

// libuv's own stream, on a socket that is connected already.
Stream over_uv_tcp(LoopFixture& fixture, UniqueSocket fd) {
  auto handle = std::make_unique<uv_tcp_t>();
  BOOST_TEST_REQUIRE(uv_tcp_init(fixture.loop.native_handle(), handle.get()) == 0);
  BOOST_TEST_REQUIRE(uv_tcp_open(handle.get(), fd.release()) == 0);
  return over_uv(fixture, std::move(handle));
}

std::pair<Stream, Stream> uv_tcp(LoopFixture& fixture) {
  auto pair = fixture.tcp_pair();
  int err = 0;
  std::vector<std::byte> unread;
  UniqueSocket first = pair.first.release_socket(unread, err);
  UniqueSocket second = pair.second.release_socket(unread, err);
  Stream left = over_uv_tcp(fixture, std::move(first));
  return {std::move(left), over_uv_tcp(fixture, std::move(second))};
}

// libuv's own stream, on a descriptor that is connected already.
Stream over_uv_pipe(LoopFixture& fixture, UniqueSocket fd) {
  auto handle = std::make_unique<uv_pipe_t>();
  BOOST_TEST_REQUIRE(uv_pipe_init(fixture.loop.native_handle(), handle.get(), 0) == 0);
  BOOST_TEST_REQUIRE(uv_pipe_open(handle.get(), fd.release()) == 0);
  return over_uv(fixture, std::move(handle));
}

std::pair<Stream, Stream> uv_pipe(LoopFixture& fixture) {
  std::array<int, 2> fds{};
  BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
  UniqueSocket first(fds[0]);
  UniqueSocket second(fds[1]);
  Stream left = over_uv_pipe(fixture, std::move(first));
  return {std::move(left), over_uv_pipe(fixture, std::move(second))};
}

Stream over_descriptor(LoopFixture& fixture, UniqueFd fd) {
  int err = 0;
  Stream stream = open_stdio(fixture.loop, fd.get(), err);
  BOOST_TEST_REQUIRE(err == 0);
  static_cast<void>(fd.release());  // it is the stream's now
  return stream;
}

struct PipeEnds {
  UniqueFd reading;
  UniqueFd writing;
};

PipeEnds make_pipe() {
  std::array<int, 2> fds{};
  BOOST_TEST_REQUIRE(::pipe2(fds.data(), O_CLOEXEC) == 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

std::pair<Stream, Stream> reader_of_pipe(LoopFixture& fixture) {
  auto [reading, writing] = make_pipe();
  Stream reader = over_descriptor(fixture, std::move(reading));
  return {std::move(reader), over_descriptor(fixture, std::move(writing))};
}

std::pair<Stream, Stream> reader_of_fifo(LoopFixture& fixture) {
  const TempDirectory directory;
  const std::string path = directory / "fifo";
  BOOST_TEST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  // Open on both sides, so that neither open ends at once.
  const UniqueFd both(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  int err = 0;
  Stream reader = open_file(fixture.loop, path.c_str(), FileMode::read, err);
  BOOST_TEST_REQUIRE(err == 0);
  Stream writer = open_file(fixture.loop, path.c_str(), FileMode::write, err);
  BOOST_TEST_REQUIRE(err == 0);
  return {std::move(reader), std::move(writer)};
}

// A regular file has an end where a pipe waits. What reads it follows the writer; the other way round the
// calls of a file's stream are made on a pipe, where they wait, in their worker threads.
std::pair<Stream, Stream> writer_of_file(LoopFixture& fixture) {
  const TempDirectory directory;
  const std::string path = directory / "file";
  int err = 0;
  Stream writer = open_file(fixture.loop, path.c_str(), FileMode::write, err);
  BOOST_TEST_REQUIRE(err == 0);
  return {std::move(writer), Stream(fixture.loop, std::make_unique<TailStream>(fixture.loop, path))};
}

Stream by_file_calls(LoopFixture& fixture, UniqueFd fd) {
  detail::LoopImpl& impl = detail::impl_of(fixture.loop.core());
  return {fixture.loop, std::make_unique<detail::FileStream>(impl, std::move(fd))};
}

std::pair<Stream, Stream> reader_by_file_calls(LoopFixture& fixture) {
  auto [reading, writing] = make_pipe();
  Stream reader = by_file_calls(fixture, std::move(reading));
  return {std::move(reader), over_descriptor(fixture, std::move(writing))};
}

std::pair<Stream, Stream> writer_by_file_calls(LoopFixture& fixture) {
  auto [reading, writing] = make_pipe();
  Stream writer = by_file_calls(fixture, std::move(writing));
  return {std::move(writer), over_descriptor(fixture, std::move(reading))};
}

template <class Make>
auto other_way_round(Make make) {
  return [make](LoopFixture& fixture) {
    auto pair = make(fixture);
    return std::pair(std::move(pair.second), std::move(pair.first));
  };
}

// The first one takes from the kernel what is asked for and no more.
std::pair<Stream, Stream> nothing_ahead(LoopFixture& fixture) {
  auto pair = fixture.unix_pair();
  BOOST_TEST_REQUIRE(pair.first.set_options({.max_read_ahead = 0}) == 0);
  return pair;
}

constexpr BackendTraits tcp_socket{.late_reset = true};
constexpr BackendTraits unix_socket{.reset = false};
constexpr BackendTraits unix_messages{
    .reset = false, .read_ahead = false, .longest_write = longest_message, .messages_that_fit = 1};
constexpr BackendTraits one_way_pipe{.reset = false, .socket = false, .descriptor = false};
constexpr BackendTraits written_file{
    .fills = false, .half_close = false, .reset = false, .socket = false, .descriptor = false};
constexpr BackendTraits file_calls{.half_close = false,
                                   .reset = false,
                                   .socket = false,
                                   .descriptor = false,
                                   .tells_unread = false,
                                   .in_thread = true};
// Datagrams.

using Options = DatagramOptions;

Datagram unix_on(Loop& loop, const Address& local, const Address& remote, const Options& options) {
  int err = 0;
  Datagram datagram = Datagram::unix_datagram(loop, local, remote, options, err);
  BOOST_TEST_REQUIRE(err == 0);
  return datagram;
}

// The names must not go with the folder: a unix datagram is sent to a path.
Address path_address() {
  static const TempDirectory directory;
  static unsigned count = 0;
  int err = 0;
  return Address::unix_from_path(directory / std::to_string(++count), err);
}

Address abstract_address() {
  static unsigned count = 0;
  int err = 0;
  const std::string name = "tsock-datagram-" + std::to_string(getpid()) + '-' + std::to_string(++count);
  return Address::unix_abstract(name, err);
}

template <class MakeAddress>
auto unix_bound(MakeAddress make_address) {
  return [make_address](Loop& loop, const Options& options) {
    return bound(unix_on(loop, make_address(), {}, options), unix_on(loop, make_address(), {}, options));
  };
}

DatagramEnds unix_connected(Loop& loop, const Options& options) {
  Datagram peer = unix_on(loop, path_address(), {}, options);
  Datagram ours = unix_on(loop, path_address(), peer.local_address(), options);
  DatagramEnds ends = bound(std::move(ours), std::move(peer));
  ends.to_peer = Address();
  return ends;
}

DatagramEnds datagram_socketpair(Loop& loop, const Options& options) {
  int err = 0;
  auto [ours, peer] = Datagram::socketpair(loop, options, err);
  BOOST_TEST_REQUIRE(err == 0);
  return {std::move(ours), std::move(peer), {}, {}};
}

Datagram adopt_datagram(Loop& loop, UniqueSocket fd, const Options& options) {
  int err = 0;
  Datagram datagram = Datagram::adopt(loop, fd, options, err);
  BOOST_TEST_REQUIRE(err == 0);
  return datagram;
}

DatagramEnds adopted_pair(Loop& loop, const Options& options) {
  std::array<int, 2> fds{};
  BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM, 0, fds.data()) == 0);
  UniqueSocket first(fds[0]);
  UniqueSocket second(fds[1]);
  Datagram ours = adopt_datagram(loop, std::move(first), options);
  return {std::move(ours), adopt_datagram(loop, std::move(second), options), {}, {}};
}

// Two UDP sockets that are connected to each other, which takes system calls of one's own.
DatagramEnds adopted_udp(Loop& loop, const Options& options) {
  std::array<UniqueSocket, 2> fds;
  std::array<sockaddr_storage, 2> names{};
  const Address any = loopback_v4();
  for (std::size_t i = 0; i < fds.size(); ++i) {
    fds[i].reset(::socket(AF_INET, SOCK_DGRAM, 0));
    const auto length = static_cast<socklen_t>(any.sockaddr_length());
    socklen_t size = sizeof(names[i]);
    BOOST_TEST_REQUIRE(::bind(fds[i].get(), any.sockaddr_pointer(), length) == 0);
    BOOST_TEST_REQUIRE(::getsockname(fds[i].get(), reinterpret_cast<sockaddr*>(&names[i]), &size) == 0);
  }
  for (std::size_t i = 0; i < fds.size(); ++i) {
    const auto length = static_cast<socklen_t>(any.sockaddr_length());
    BOOST_TEST_REQUIRE(::connect(fds[i].get(), reinterpret_cast<sockaddr*>(&names[1 - i]), length) == 0);
  }
  Datagram ours = adopt_datagram(loop, std::move(fds[0]), options);
  return {std::move(ours), adopt_datagram(loop, std::move(fds[1]), options), {}, {}};
}

constexpr DatagramTraits unix_unconnected{
    .unix_socket = true, .reads_ahead = false, .blocks = true, .polls = true, .refuses = true};
constexpr DatagramTraits unix_with_peer{
    .unix_socket = true, .connected = true, .reads_ahead = false, .blocks = true, .refuses = true};
constexpr DatagramTraits adopted_inet{.inet = true, .connected = true, .max_size = 65507};

}  // namespace

// Add a new one here, in a line of its own.
void add_backends_of_system(BackendsUnderTest& backends) {
  std::vector<Backend> both_ways{
      {"unix path", unix_path, unix_socket, repeats},
      {"unix abstract", unix_abstract, unix_socket, repeats},
      {"socketpair", [](LoopFixture& fixture) { return fixture.unix_pair(); }, unix_socket},
      {"adopted", adopted, unix_socket, repeats},
      {"unix socket with message borders", message_sockets, unix_messages},
      {"unix socket with message borders, limited",
       [](LoopFixture& fixture) { return limited(fixture, message_sockets(fixture), no_rate, 64); },
       unix_messages},
      // A writer that waits for its turn lets a reader empty what is between them.
      {"socketpair, read at 64 KiB a millisecond",
       [](LoopFixture& fixture) { return limited(fixture, fixture.unix_pair(), slow_rate, 65536, false); },
       unix_socket},
      {"libuv tcp", uv_tcp, with(tcp_socket, &BackendTraits::descriptor, false)},
      {"libuv pipe", uv_pipe, with(unix_socket, &BackendTraits::descriptor, false)},
      {"socketpair, nothing ahead", nothing_ahead, with(unix_socket, &BackendTraits::read_ahead, false)},
  };
  if (uses_posix_alone())
    std::erase_if(both_ways,
                  [](const Backend& backend) { return backend.name == std::string_view("unix abstract"); });
  for (Backend& backend : both_ways) backends.both_ways.push_back(std::move(backend));
  backends.only_read = {
      {"pipe, read", reader_of_pipe, one_way_pipe},
      {"fifo, read", reader_of_fifo, one_way_pipe, repeats},
      {"file calls, read", reader_by_file_calls, file_calls},
  };
  backends.only_written = {
      {"pipe, written", other_way_round(reader_of_pipe), one_way_pipe},
      {"fifo, written", other_way_round(reader_of_fifo), one_way_pipe, repeats},
      {"file calls, written", writer_by_file_calls, file_calls},
      {"file, written", writer_of_file, written_file},
  };
}

void add_datagrams_of_system(std::vector<DatagramKind>& kinds) {
  std::vector<DatagramKind> more{
      {"unix path", unix_unconnected, unix_bound(path_address)},
      {"unix path connected", unix_with_peer, unix_connected},
      {"unix abstract", unix_unconnected, unix_bound(abstract_address)},
      {"unix socketpair", unix_with_peer, datagram_socketpair},
      {"adopted unix", unix_with_peer, adopted_pair},
      {"adopted udp", adopted_inet, adopted_udp},
  };
  if (uses_posix_alone())
    std::erase_if(more,
                  [](const DatagramKind& kind) { return kind.name == std::string_view("unix abstract"); });
  for (DatagramKind& kind : more) kinds.push_back(std::move(kind));
}

}  // namespace tsock::test
