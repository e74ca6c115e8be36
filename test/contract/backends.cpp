#include "contract/backends.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <tsock/layer/layer_over.hpp>
#include <tsock/listener.hpp>
#include <tsock/loop.hpp>
#include <tsock/memory_stream.hpp>
#include <tsock/proxy/accept.hpp>
#include <tsock/proxy/send_header.hpp>
#include <tsock/rate_limit.hpp>
#include <tsock/stdio_stream.hpp>
#include <tsock/uv_stream.hpp>
#include <type_traits>

#include "layer/authenticate.hpp"
#include "support/system.hpp"
#include "support/tail_stream.hpp"
#include "support/toy_engine.hpp"
#include "support/toy_mechanism.hpp"
#include "uv/file_stream.hpp"
#include "uv/loop_impl.hpp"

#ifdef TSOCK_WITH_GSSAPI
#include "contract/gssapi_backends.hpp"
#endif
#ifdef TSOCK_WITH_NPA
#include "contract/npa_backends.hpp"
#endif
#ifdef TSOCK_WITH_SASL
#include "contract/sasl_backends.hpp"
#endif
#ifdef TSOCK_WITH_TLS
#include "contract/tls_backends.hpp"
#endif

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

Stream adopt(LoopFixture& fixture, UniqueSocket fd) {
  int err = 0;
  Stream stream = Stream::adopt(fixture.loop, fd, {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  return stream;
}

std::pair<Stream, Stream> adopted(LoopFixture& fixture) {
  std::array<int, 2> fds{};
  BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()) == 0);
  UniqueSocket first(fds[0]);
  UniqueSocket second(fds[1]);
  Stream left = adopt(fixture, std::move(first));
  return {std::move(left), adopt(fixture, std::move(second))};
}

Stream release_and_adopt(LoopFixture& fixture, Stream stream) {
  int err = 0;
  std::vector<std::byte> unread;
  UniqueSocket fd = stream.release_socket(unread, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST(unread.empty());
  return adopt(fixture, std::move(fd));
}

std::pair<Stream, Stream> released_and_adopted(LoopFixture& fixture) {
  auto pair = fixture.tcp_pair();
  Stream left = release_and_adopt(fixture, std::move(pair.first));
  return {std::move(left), release_and_adopt(fixture, std::move(pair.second))};
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

// So fast that nobody waits for long, in pieces of `burst` bytes.
constexpr std::uint64_t no_rate = std::uint64_t{1} << 50;
constexpr std::uint64_t slow_rate = 65'536'000;
std::pair<Stream, Stream> limited(LoopFixture& fixture, std::pair<Stream, Stream> pair, std::uint64_t rate,
                                  std::size_t burst, bool writing = true) {
  for (Stream* const stream : {&pair.first, &pair.second}) {
    RateLimits limits{.reading = RateLimit(fixture.loop, rate, burst)};
    if (writing) limits.writing = RateLimit(fixture.loop, rate, burst);
    BOOST_TEST_REQUIRE(limit_rate(*stream, limits) == 0);
  }
  return pair;
}

// libuv's own streams, on descriptors that are connected already.
template <class Handle>
Stream over_uv(LoopFixture& fixture, UniqueSocket fd) {
  auto handle = std::make_unique<Handle>();
  uv_loop_t* const uv = fixture.loop.native_handle();
  if constexpr (std::is_same_v<Handle, uv_tcp_t>) {
    BOOST_TEST_REQUIRE(uv_tcp_init(uv, handle.get()) == 0);
    BOOST_TEST_REQUIRE(uv_tcp_open(handle.get(), fd.release()) == 0);
  } else {
    BOOST_TEST_REQUIRE(uv_pipe_init(uv, handle.get(), 0) == 0);
    BOOST_TEST_REQUIRE(uv_pipe_open(handle.get(), fd.release()) == 0);
  }
  int err = 0;
  const auto ownership =
      UvStreamOwnership::take([](uv_stream_s* closed) { delete reinterpret_cast<Handle*>(closed); });
  Stream stream =
      wrap_uv_stream(fixture.loop, reinterpret_cast<uv_stream_t*>(handle.release()), ownership, {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  return stream;
}

std::pair<Stream, Stream> uv_tcp(LoopFixture& fixture) {
  auto pair = fixture.tcp_pair();
  int err = 0;
  std::vector<std::byte> unread;
  UniqueSocket first = pair.first.release_socket(unread, err);
  UniqueSocket second = pair.second.release_socket(unread, err);
  Stream left = over_uv<uv_tcp_t>(fixture, std::move(first));
  return {std::move(left), over_uv<uv_tcp_t>(fixture, std::move(second))};
}

std::pair<Stream, Stream> uv_pipe(LoopFixture& fixture) {
  std::array<int, 2> fds{};
  BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
  UniqueSocket first(fds[0]);
  UniqueSocket second(fds[1]);
  Stream left = over_uv<uv_pipe_t>(fixture, std::move(first));
  return {std::move(left), over_uv<uv_pipe_t>(fixture, std::move(second))};
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

// The first one takes from the kernel what is asked for and so much more.
auto reading_ahead(std::pair<Stream, Stream> (LoopFixture::*make)(), std::size_t most) {
  return [make, most](LoopFixture& fixture) {
    auto pair = (fixture.*make)();
    BOOST_TEST_REQUIRE(pair.first.set_options({.max_read_ahead = most}) == 0);
    return pair;
  };
}

auto memory(const MemoryStreamOptions& options) {
  return [options](LoopFixture& fixture) { return memory_stream_pair(fixture.loop, options); };
}

// A layer on both ends of a pair, as often as there are floors. Nobody waits for the peer's goodbye, as the
// peer in these tests need not read.
std::pair<Stream, Stream> toys_on(LoopFixture& fixture, std::pair<Stream, Stream> pair, unsigned floors = 1,
                                  const ToyEngine::Kind& kind = {}) {
  using enum ToyEngine::Side;
  constexpr layer::LayerOptions options{.goodbye_time = std::chrono::milliseconds(0)};
  for (unsigned floor = 0; floor < floors; ++floor) {
    Request<Stream> left = layer::layer_over(std::move(pair.first), std::make_unique<ToyEngine>(client, kind),
                                             "toy_connect", options);
    Request<Stream> right = layer::layer_over(
        std::move(pair.second), std::make_unique<ToyEngine>(server, kind), "toy_accept", options);
    int err = 0;
    pair.first = fixture.fetch(left, err);
    BOOST_TEST_REQUIRE(err == 0);
    pair.second = fixture.fetch(right, err);
    BOOST_TEST_REQUIRE(err == 0);
  }
  return pair;
}

auto toys_on_memory(std::size_t max_transfer, unsigned floors) {
  return [max_transfer, floors](LoopFixture& fixture) {
    return toys_on(fixture, memory_stream_pair(fixture.loop, {.max_transfer = max_transfer}), floors,
                   {.may_be_cut = true, .half_close = false});
  };
}

// The same with the tokens of a mechanism, and a layer that has no goodbye.
std::pair<Stream, Stream> toy_mechanisms_on(LoopFixture& fixture, std::pair<Stream, Stream> pair,
                                            bool protects = true) {
  const auto authenticate = [protects](Stream below, bool begins) {
    return layer::authenticate(
        std::move(below), std::make_shared<ToyMechanism>(begins, ToyMechanism::Kind{.protects = protects}),
        {}, "toy_authenticate");
  };
  Request<Stream> left = authenticate(std::move(pair.first), true);
  Request<Stream> right = authenticate(std::move(pair.second), false);
  int err = 0;
  pair.first = fixture.fetch(left, err);
  BOOST_TEST_REQUIRE(err == 0, left.reason());
  pair.second = fixture.fetch(right, err);
  BOOST_TEST_REQUIRE(err == 0, right.reason());
  return pair;
}

auto toy_mechanisms_on_memory(std::size_t max_transfer) {
  return [max_transfer](LoopFixture& fixture) {
    return toy_mechanisms_on(fixture, memory_stream_pair(fixture.loop, {.max_transfer = max_transfer}));
  };
}

// The first one came with a PROXY header: its addresses are others, and all else is that of the stream below.
std::pair<Stream, Stream> behind_proxy(LoopFixture& fixture, std::pair<Stream, Stream> pair) {
  const proxy::Header header{.source = loopback_v4(1), .destination = loopback_v4(2)};
  Request<ssize_t> sending = proxy::send_header(pair.second, header);
  Request<Stream> accepting = proxy::accept(std::move(pair.first));
  int err = 0;
  pair.first = fixture.fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0, accepting.reason());
  BOOST_TEST_REQUIRE(fixture.error_of(sending) == 0);
  return pair;
}

constexpr BackendTraits tcp{.late_reset = true};
constexpr BackendTraits unix_socket{.reset = false};
constexpr BackendTraits messages{
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
constexpr BackendTraits unbuffered{
    .buffers = false, .socket = false, .descriptor = false, .read_ahead = false};

constexpr BackendTraits layered_tcp{.sees_half_close = false,
                                    .late_reset = true,
                                    .socket = false,
                                    .descriptor = false,
                                    .floors = 1,
                                    .goodbye = 2};

constexpr BackendTraits messages_over_tcp{.half_close = false,
                                          .sees_half_close = false,
                                          .late_reset = true,
                                          .socket = false,
                                          .descriptor = false,
                                          .floors = 1};

// What is written waits for a reader, as in the pair below.
constexpr BackendTraits layered_memory(std::size_t max_transfer, unsigned floors) {
  return {.buffers = false,
          .half_close = false,
          .socket = false,
          .descriptor = false,
          .floors = floors,
          .max_transfer = max_transfer};
}

BackendTraits at_most(std::size_t max_transfer) {
  BackendTraits traits = unbuffered;
  traits.max_transfer = max_transfer;
  return traits;
}

constexpr bool repeats = true;

BackendTraits with(BackendTraits traits, bool BackendTraits::*trait, bool value) {
  traits.*trait = value;
  return traits;
}

}  // namespace

// Add a new one here, in a line of its own.
BackendsUnderTest backends_under_test() {
  std::vector<Backend> both_ways{
      {"tcp v4", [](LoopFixture& fixture) { return fixture.tcp_pair(); }, tcp},
      {"tcp v6", [](LoopFixture& fixture) { return fixture.tcp6_pair(); }, tcp, repeats},
      {"unix path", unix_path, unix_socket, repeats},
      {"unix abstract", unix_abstract, unix_socket, repeats},
      {"socketpair", [](LoopFixture& fixture) { return fixture.unix_pair(); }, unix_socket},
      {"adopted", adopted, unix_socket, repeats},
      {"released and adopted", released_and_adopted, tcp, repeats},
      {"unix socket with message borders", message_sockets, messages},
      {"unix socket with message borders, limited",
       [](LoopFixture& fixture) { return limited(fixture, message_sockets(fixture), no_rate, 64); },
       messages},
      {"tcp v4, limited to 32 KiB at once",
       [](LoopFixture& fixture) { return limited(fixture, fixture.tcp_pair(), no_rate, 32768); }, tcp},
      // A writer that waits for its turn lets a reader empty what is between them.
      {"socketpair, read at 64 KiB a millisecond",
       [](LoopFixture& fixture) { return limited(fixture, fixture.unix_pair(), slow_rate, 65536, false); },
       unix_socket},
      {"memory, limited to 64 KiB a millisecond",
       [](LoopFixture& fixture) {
         return limited(fixture, memory_stream_pair(fixture.loop, {}), slow_rate, 65536);
       },
       unbuffered},
      {"memory, limited to 3 bytes at once",
       [](LoopFixture& fixture) {
         return limited(fixture, memory_stream_pair(fixture.loop, {}), no_rate, 3);
       },
       with(at_most(3), &BackendTraits::tells_unread, false)},
      {"toy over limited tcp",
       [](LoopFixture& fixture) {
         return toys_on(fixture, limited(fixture, fixture.tcp_pair(), no_rate, 16384), 1,
                        {.may_be_cut = true});
       },
       layered_tcp},
      {"libuv tcp", uv_tcp, with(tcp, &BackendTraits::descriptor, false)},
      {"libuv pipe", uv_pipe, with(unix_socket, &BackendTraits::descriptor, false)},
      {"tcp v4, 64 bytes ahead", reading_ahead(&LoopFixture::tcp_pair, 64), tcp},
      {"socketpair, nothing ahead", reading_ahead(&LoopFixture::unix_pair, 0),
       with(unix_socket, &BackendTraits::read_ahead, false)},
      {"memory", memory({}), unbuffered},
      {"memory, read ahead", memory({.read_ahead = true}),
       with(unbuffered, &BackendTraits::read_ahead, true)},
      {"memory, 1 byte at once", memory({.max_transfer = 1}), at_most(1)},
      {"memory, 3 bytes at once", memory({.max_transfer = 3}), at_most(3)},
      {"memory, no half-close", memory({.half_close = false}),
       with(unbuffered, &BackendTraits::half_close, false)},
      {"toy over tcp",
       [](LoopFixture& fixture) { return toys_on(fixture, fixture.tcp_pair(), 1, {.may_be_cut = true}); },
       layered_tcp},
      {"toy over memory, 1 byte at once", toys_on_memory(1, 1), layered_memory(1, 1)},
      {"toy over toy over memory, 3 bytes at once", toys_on_memory(3, 2), layered_memory(3, 2)},
      {"toy mechanism over tcp",
       [](LoopFixture& fixture) { return toy_mechanisms_on(fixture, fixture.tcp_pair()); },
       messages_over_tcp},
      {"toy mechanism over memory, 1 byte at once", toy_mechanisms_on_memory(1), layered_memory(1, 1)},
      {"toy mechanism without a layer over tcp",
       [](LoopFixture& fixture) { return toy_mechanisms_on(fixture, fixture.tcp_pair(), false); }, tcp,
       repeats},
      {"PROXY header over tcp",
       [](LoopFixture& fixture) { return behind_proxy(fixture, fixture.tcp_pair()); }, tcp},
      {"PROXY header over memory, 3 bytes at once",
       [](LoopFixture& fixture) {
         return behind_proxy(fixture, memory_stream_pair(fixture.loop, {.max_transfer = 3}));
       },
       at_most(3)},
  };
  if (uses_posix_alone())
    std::erase_if(both_ways,
                  [](const Backend& backend) { return backend.name == std::string_view("unix abstract"); });
#ifdef TSOCK_WITH_NPA
  for (Backend& backend : npa_backends()) both_ways.push_back(std::move(backend));
#endif
#ifdef TSOCK_WITH_SASL
  for (Backend& backend : sasl_backends()) both_ways.push_back(std::move(backend));
#endif
#ifdef TSOCK_WITH_TLS
  for (Backend& backend : tls_backends()) both_ways.push_back(std::move(backend));
#endif
#ifdef TSOCK_WITH_GSSAPI
  for (Backend& backend : gssapi_backends()) both_ways.push_back(std::move(backend));
#endif
  std::vector<Backend> only_read{
      {"pipe, read", reader_of_pipe, one_way_pipe},
      {"fifo, read", reader_of_fifo, one_way_pipe, repeats},
      {"file calls, read", reader_by_file_calls, file_calls},
  };
  std::vector<Backend> only_written{
      {"pipe, written", other_way_round(reader_of_pipe), one_way_pipe},
      {"fifo, written", other_way_round(reader_of_fifo), one_way_pipe, repeats},
      {"file calls, written", writer_by_file_calls, file_calls},
      {"file, written", writer_of_file, written_file},
  };
  return {std::move(both_ways), std::move(only_read), std::move(only_written)};
}

}  // namespace tsock::test
