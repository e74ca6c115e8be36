// No memory in a loop that runs: each allocation in turn fails, and who waits hears of it.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <new>
#include <string>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/descriptors.hpp"
#include "support/loop_fixture.hpp"
#include "support/sanitizer.hpp"
#include "support/syscall_injector.hpp"

using namespace tsock;
using tsock::test::FailNthAllocation;
using tsock::test::LoopFixture;
using tsock::test::TempDirectory;

namespace {

constexpr int thrown = -1;

/// Each time on a loop of its own, `prepare` gives a function that starts a request, which ends while one
/// allocation fails: the first, the second, and so on. Then `check` is called with the errno value; `thrown`
/// when there was no request to give it. \return how many requests ended with ENOMEM.
template <class Prepare, class Check>
unsigned fail_each_allocation(Prepare prepare, Check check) {
  unsigned reported = 0;
  bool injected = true;
  for (std::size_t n = 0; injected; ++n) {
    BOOST_TEST_REQUIRE(n < 1000U);
    LoopFixture fixture;
    {
      auto start = prepare(fixture);
      int err = 0;
      bool ended = true;
      {
        const FailNthAllocation failing(n);
        try {
          auto request = start();
          ended = fixture.run_until([&request] { return !request.is_in_progress(); });
          static_cast<void>(request.is_error(err));
        } catch (const std::bad_alloc&) {
          err = thrown;
        }
        injected = failing.was_injected();
      }
      BOOST_TEST_REQUIRE(ended, "allocation " << n);
      BOOST_TEST((err == 0 || (injected && (err == thrown || err == ENOMEM))),
                 "allocation " << n << ": errno " << err);
      if (err == ENOMEM) ++reported;
      check(fixture, start, err);
    }
    fixture.loop.run();  // a file is closed by a thread
  }
  return reported;
}

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(loop_memory, *boost::unit_test::precondition(tsock::test::allocations_can_fail))

BOOST_AUTO_TEST_CASE(file_read_ends_with_enomem_and_the_next_one_gets_the_bytes) {
  const TempDirectory directory;
  const std::string path = directory / "file";
  std::ofstream(path) << "content";
  const auto prepare = [&](LoopFixture& fixture) {
    int err = 0;
    auto file = std::make_shared<Stream>(open_file(fixture.loop, path.c_str(), FileMode::read, err));
    BOOST_TEST(err == 0);
    auto buffer = std::make_shared<std::array<std::byte, 7>>();
    return [file, buffer] { return file->read(*buffer); };
  };
  const unsigned reported = fail_each_allocation(prepare, [](LoopFixture& fixture, auto& start, int err) {
    if (err != 0) BOOST_TEST(fixture.error_of(start()) == 0);
  });
  BOOST_TEST(reported != 0U);
}

BOOST_AUTO_TEST_CASE(file_write_ends_with_enomem_and_the_next_one_is_written) {
  const TempDirectory directory;
  const std::string path = directory / "file";
  const auto prepare = [&](LoopFixture& fixture) {
    int err = 0;
    auto file = std::make_shared<Stream>(open_file(fixture.loop, path.c_str(), FileMode::write, err));
    BOOST_TEST(err == 0);
    return [file] { return file->write("content"); };
  };
  const unsigned reported = fail_each_allocation(prepare, [&](LoopFixture& fixture, auto& start, int err) {
    BOOST_TEST(content_of(path) == (err == 0 ? "content" : ""));
    if (err == 0) return;
    BOOST_TEST(fixture.error_of(start()) == 0);
    BOOST_TEST(content_of(path) == "content");
  });
  BOOST_TEST(reported != 0U);
}

BOOST_AUTO_TEST_CASE(file_is_closed_without_memory) {
  const TempDirectory directory;
  const std::string path = directory / "file";
  const auto prepare = [&](LoopFixture& fixture) {
    int err = 0;
    auto file = std::make_shared<Stream>(open_file(fixture.loop, path.c_str(), FileMode::write, err));
    BOOST_TEST(err == 0);
    return [file] { return file->disconnect(); };
  };
  fail_each_allocation(prepare, [](LoopFixture&, auto&, int) {});
}

// A service by name goes the whole way to a thread.
BOOST_AUTO_TEST_CASE(lookup_ends_with_enomem) {
  const auto prepare = [](LoopFixture& fixture) {
    return [&fixture] { return resolve(fixture.loop, "127.0.0.1", "http"); };
  };
  BOOST_TEST(fail_each_allocation(prepare, [](LoopFixture&, auto&, int) {}) != 0U);
}

BOOST_AUTO_TEST_CASE(numeric_lookup_ends_with_enomem) {
  const auto prepare = [](LoopFixture& fixture) {
    return [&fixture] { return resolve(fixture.loop, "127.0.0.1", "80"); };
  };
  BOOST_TEST(fail_each_allocation(prepare, [](LoopFixture&, auto&, int) {}) != 0U);
}

BOOST_AUTO_TEST_CASE(connect_to_host_ends_with_enomem_and_the_next_one_connects) {
  const auto prepare = [](LoopFixture& fixture) {
    int err = 0;
    auto listener = std::make_shared<Listener>(Listener::tcp(fixture.loop, test::loopback_v4(), {}, err));
    BOOST_TEST(err == 0);
    const std::string port = std::to_string(listener->local_address().port().value_or(0));
    return [&fixture, listener, port] { return connect_to_host(fixture.loop, "127.0.0.1", port); };
  };
  const unsigned reported = fail_each_allocation(prepare, [](LoopFixture& fixture, auto& start, int err) {
    if (err != 0) BOOST_TEST(fixture.error_of(start()) == 0);
  });
  BOOST_TEST(reported != 0U);
}

BOOST_AUTO_TEST_CASE(signal_ends_with_enomem_and_is_caught_by_the_next_one) {
  const auto prepare = [](LoopFixture& fixture) {
    std::signal(SIGUSR2, SIG_IGN);
    return [&fixture] {
      auto request = fixture.loop.signal(SIGUSR2);
      ::raise(SIGUSR2);
      return request;
    };
  };
  const unsigned reported = fail_each_allocation(prepare, [](LoopFixture& fixture, auto& start, int err) {
    if (err != 0) BOOST_TEST(fixture.error_of(start()) == 0);
  });
  BOOST_TEST(reported != 0U);
  std::signal(SIGUSR2, SIG_DFL);
}

BOOST_AUTO_TEST_CASE(standard_stream_that_cannot_be_made_leaves_the_descriptor_as_it_was) {
  for (const bool is_pipe : {false, true}) {
    unsigned failures = 0;
    bool injected = true;
    for (std::size_t n = 0; injected; ++n) {
      LoopFixture fixture;
      std::array<int, 2> fds{};
      BOOST_TEST_REQUIRE((is_pipe ? ::pipe2(fds.data(), O_CLOEXEC)
                                  : ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data())) == 0);
      const UniqueFd other(fds[1]);
      UniqueFd fd(fds[0]);
      const UniqueFd shared(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
      int err = 0;
      Stream stream;
      {
        const FailNthAllocation failing(n);
        stream = open_stdio(fixture.loop, fd.get(), err);
        injected = failing.was_injected();
      }
      BOOST_TEST(err == (injected ? ENOMEM : 0), "allocation " << n);
      if (err == 0) static_cast<void>(fd.release());
      if (err != 0) {
        ++failures;
        BOOST_TEST((::fcntl(fd.get(), F_GETFD) >= 0));
        BOOST_TEST(!test::is_non_blocking(shared.get()));
      }
    }
    BOOST_TEST(failures != 0U);
  }
}

BOOST_AUTO_TEST_CASE(adopted_descriptor_is_blocking_again_when_there_is_no_memory) {
  enum class Kind : std::uint8_t { stream, datagram, listener };
  for (const Kind kind : {Kind::stream, Kind::datagram, Kind::listener}) {
    unsigned failures = 0;
    bool injected = true;
    for (std::size_t n = 0; injected; ++n) {
      LoopFixture fixture;
      UniqueSocket fd(
          ::socket(AF_UNIX, (kind == Kind::datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0));
      const sa_family_t family = AF_UNIX;
      BOOST_TEST_REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&family), sizeof(family)) == 0);
      if (kind == Kind::listener) BOOST_TEST_REQUIRE(::listen(fd.get(), 1) == 0);
      const UniqueFd shared(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
      int err = 0;
      {
        const FailNthAllocation failing(n);
        switch (kind) {
          case Kind::stream:
            static_cast<void>(Stream::adopt(fixture.loop, fd, {}, err));
            break;
          case Kind::datagram:
            static_cast<void>(Datagram::adopt(fixture.loop, fd, {}, err));
            break;
          case Kind::listener:
            static_cast<void>(Listener::adopt(fixture.loop, fd, {}, err));
            break;
        }
        injected = failing.was_injected();
      }
      BOOST_TEST(err == (injected ? ENOMEM : 0), "allocation " << n);
      BOOST_TEST(static_cast<bool>(fd) == injected);
      if (injected) ++failures;
      BOOST_TEST(!test::is_non_blocking(shared.get()), "allocation " << n);
    }
    BOOST_TEST(failures != 0U);
  }
}

// ---- in a loop that runs ----

namespace {

/// Each time on a loop of its own: `prepare` starts requests and gives a function that tells when they are
/// over. The loop runs until then, while one allocation in it fails: the first, the second, and so on. Then
/// `check` is called. Nothing may be thrown out of the loop.
template <class Scenario>
unsigned fail_each_allocation_of_the_loop(Scenario scenario) {
  unsigned reported = 0;
  bool injected = true;
  for (std::size_t n = 0; injected; ++n) {
    BOOST_TEST_REQUIRE(n < 1000U);
    LoopFixture fixture;
    {
      auto steps = scenario(fixture);
      const Request<void> guard = fixture.loop.sleep(std::chrono::seconds(10));
      bool thrown_out = false;
      {
        const FailNthAllocation failing(n);
        try {
          while (!steps.is_over() && guard.is_in_progress()) fixture.loop.run_once();
        } catch (const std::bad_alloc&) {
          thrown_out = true;
        }
        injected = failing.was_injected();
      }
      BOOST_TEST_CONTEXT("allocation " << n) {
        BOOST_TEST_REQUIRE(guard.is_in_progress());
        BOOST_TEST(!thrown_out);
        if (steps.check(injected)) ++reported;
      }
    }
    fixture.loop.run();
  }
  return reported;
}

using Bytes = std::vector<std::byte>;
using Pair = std::pair<Stream, Stream>;

Stream over_uv_pipe(LoopFixture& fixture, int fd) {
  auto handle = std::make_unique<uv_pipe_t>();
  BOOST_TEST_REQUIRE(uv_pipe_init(fixture.loop.native_handle(), handle.get(), 0) == 0);
  BOOST_TEST_REQUIRE(uv_pipe_open(handle.get(), fd) == 0);
  const auto ownership =
      UvStreamOwnership::take([](uv_stream_t* closed) { delete reinterpret_cast<uv_pipe_t*>(closed); });
  int err = 0;
  Stream stream =
      wrap_uv_stream(fixture.loop, reinterpret_cast<uv_stream_t*>(handle.release()), ownership, {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  return stream;
}

Pair uv_pipe_pair(LoopFixture& fixture) {
  std::array<int, 2> fds{};
  BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
  Stream first = over_uv_pipe(fixture, fds[0]);
  return {std::move(first), over_uv_pipe(fixture, fds[1])};
}

Pair pipe_pair(LoopFixture& fixture) {
  std::array<int, 2> fds{};
  BOOST_TEST_REQUIRE(::pipe2(fds.data(), O_CLOEXEC) == 0);
  int err = 0;
  Stream writer = open_stdio(fixture.loop, fds[1], err);
  BOOST_TEST_REQUIRE(err == 0);
  Stream reader = open_stdio(fixture.loop, fds[0], err);
  BOOST_TEST_REQUIRE(err == 0);
  return {std::move(writer), std::move(reader)};
}

/// The first one is written, the second one read.
struct Kind {
  const char* name;
  Pair (*make)(LoopFixture& fixture);
};
const std::array<Kind, 6> stream_kinds{{
    {"tcp", [](LoopFixture& fixture) { return fixture.tcp_pair(); }},
    {"unix", [](LoopFixture& fixture) { return fixture.unix_pair(); }},
    {"memory", [](LoopFixture& fixture) { return memory_stream_pair(fixture.loop, {}); }},
    {"memory, read ahead",
     [](LoopFixture& fixture) { return memory_stream_pair(fixture.loop, {.read_ahead = true}); }},
    {"libuv pipe", uv_pipe_pair},
    {"pipe", pipe_pair},
}};

bool has_failed(const Request<ssize_t>& request) {
  int err = 0;
  return request.is_error(err) && err != 0;
}

/// A message is written and read; `start` begins the read.
template <class T>
struct Message {
  LoopFixture* fixture;
  Pair streams;
  Bytes sent;
  Request<T> reading;
  Request<ssize_t> writing;
  std::function<Request<T>(Stream&)> start;
  std::function<bool(const T&)> is_right;

  [[nodiscard]] bool is_over() const { return !reading.is_in_progress() || has_failed(writing); }
  bool check(bool injected) {
    int err = 0;
    if (has_failed(writing)) {
      writing.recv(err);
      BOOST_TEST(injected);
      BOOST_TEST(err == ENOMEM);
      return true;
    }
    const T first = reading.recv(err);
    BOOST_TEST((err == 0 || (injected && err == ENOMEM)), "errno " << err);
    if (err == 0) {
      BOOST_TEST(is_right(first));
    } else {
      // All of it is unread.
      reading = start(streams.second);
      int again = 0;
      const T second = fixture->fetch(reading, again);
      BOOST_TEST(again == 0);
      if (again == 0) BOOST_TEST(is_right(second));
    }
    BOOST_TEST(fixture->error_of(writing) == 0);
    return err != 0;
  }
};

template <class T>
auto message_scenario(const Kind& kind, Bytes sent, std::function<Request<T>(Stream&)> start,
                      std::function<bool(const T&)> is_right) {
  return [kind, sent, start, is_right](LoopFixture& fixture) {
    Message<T> message{&fixture, kind.make(fixture), sent, {}, {}, start, is_right};
    message.reading = start(message.streams.second);
    message.writing = message.streams.first.write(message.sent);
    return message;
  };
}

}  // namespace

// The buffer grows with what comes.
BOOST_AUTO_TEST_CASE(delimited_message_that_cannot_grow_is_unread_again) {
  for (const Kind& kind : stream_kinds) {
    BOOST_TEST_CONTEXT(kind.name) {
      Bytes sent = test::pattern(200000);
      for (std::byte& byte : sent) byte |= std::byte{0x80};
      sent.push_back(std::byte{'\n'});
      const auto scenario = message_scenario<Pdu>(
          kind, sent, [](Stream& stream) { return stream.readv_pdu(framing::line{.max_body = 1000000}); },
          [sent](const Pdu& pdu) {
            return pdu.body().size() + 1 == sent.size() &&
                   std::equal(pdu.body().begin(), pdu.body().end(), sent.begin());
          });
      BOOST_TEST(fail_each_allocation_of_the_loop(scenario) != 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(prefixed_message_without_memory_is_unread_again) {
  for (const Kind& kind : stream_kinds) {
    BOOST_TEST_CONTEXT(kind.name) {
      Bytes sent = test::pattern(200000);
      sent[0] = std::byte{0};
      sent[1] = std::byte{3};
      sent[2] = std::byte{13};
      sent[3] = std::byte{60};
      const auto scenario = message_scenario<Pdu>(
          kind, sent, [](Stream& stream) { return stream.readv_pdu(framing::u32be{}); },
          [sent](const Pdu& pdu) {
            return pdu.bytes().size() == sent.size() &&
                   std::equal(pdu.bytes().begin(), pdu.bytes().end(), sent.begin());
          });
      BOOST_TEST(fail_each_allocation_of_the_loop(scenario) != 0U);
    }
  }
}

// What came until then is in the vectors, and the next reader gets what follows.
BOOST_AUTO_TEST_CASE(message_by_next_vector_function_without_memory_keeps_its_place) {
  struct Steps {
    LoopFixture* fixture;
    Pair streams;
    std::shared_ptr<Bytes> buffer;
    Bytes sent;
    Request<ssize_t> reading;
    Request<ssize_t> writing;

    [[nodiscard]] bool is_over() const { return !reading.is_in_progress(); }
    bool check(bool injected) {
      int err = 0;
      reading.recv(err);
      const std::size_t got = reading.transferred();
      BOOST_TEST((err == 0 || (injected && err == ENOMEM)), "errno " << err);
      if (err == 0) BOOST_TEST(got == sent.size());
      if (got != sent.size()) {
        Request<ssize_t> rest = streams.second.read(std::span(*buffer).subspan(got));
        BOOST_TEST(fixture->error_of(rest) == 0);
      }
      BOOST_TEST((*buffer == sent));
      BOOST_TEST(fixture->error_of(writing) == 0);
      return err != 0;
    }
  };
  for (const Kind& kind : stream_kinds) {
    BOOST_TEST_CONTEXT(kind.name) {
      const auto scenario = [&kind](LoopFixture& fixture) {
        Steps steps{&fixture, kind.make(fixture), {}, test::pattern(30000), {}, {}};
        steps.buffer = std::make_shared<Bytes>(steps.sent.size());
        // Many vectors at a time, so that they need memory.
        steps.reading = steps.streams.second.readv_pdu(
            [buffer = steps.buffer, at = std::size_t{0}](VectorList& vectors) mutable {
              for (int i = 0; i < 50 && at != buffer->size(); ++i, at += 100)
                vectors.add(std::span(*buffer).subspan(at, 100));
              return 0;
            });
        steps.writing = steps.streams.first.write(steps.sent);
        return steps;
      };
      BOOST_TEST(fail_each_allocation_of_the_loop(scenario) != 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(datagram_without_memory_stays_in_the_socket) {
  struct Steps {
    LoopFixture* fixture;
    std::pair<Datagram, Datagram> sockets;
    Bytes sent;
    Request<ssize_t> sending;
    Request<ReceivedDatagram> receiving;

    [[nodiscard]] bool is_over() const { return !receiving.is_in_progress() || has_failed(sending); }
    bool check(bool injected) {
      int err = 0;
      if (has_failed(sending)) {
        sending.recv(err);
        BOOST_TEST(injected);
        BOOST_TEST(err == ENOMEM);
        return true;
      }
      ReceivedDatagram datagram = receiving.recv(err);
      BOOST_TEST((err == 0 || (injected && err == ENOMEM)), "errno " << err);
      const bool failed = err != 0;
      BOOST_TEST(fixture->error_of(sending) == 0);
      if (failed) {
        receiving = sockets.second.recvfrom();
        datagram = fixture->fetch(receiving, err);
        BOOST_TEST(err == 0);
      }
      BOOST_TEST((datagram.bytes().size() == sent.size() &&
                  std::equal(sent.begin(), sent.end(), datagram.bytes().begin())));
      return failed;
    }
  };
  for (const bool in_memory : {false, true}) {
    const auto scenario = [in_memory](LoopFixture& fixture) {
      int err = 0;
      Steps steps{
          &fixture,
          in_memory ? memory_datagram_pair(fixture.loop, {}) : Datagram::socketpair(fixture.loop, err),
          test::pattern(5000),
          {},
          {}};
      BOOST_TEST_REQUIRE(err == 0);
      steps.receiving = steps.sockets.second.recvfrom();
      steps.sending = steps.sockets.first.sendto(steps.sent);
      return steps;
    };
    BOOST_TEST(fail_each_allocation_of_the_loop(scenario) != 0U);
  }
}

BOOST_AUTO_TEST_CASE(many_datagrams_without_memory_stay_in_order) {
  static constexpr std::size_t count = 8;  // the kernel holds ten, as a rule
  struct Steps {
    LoopFixture* fixture;
    std::pair<Datagram, Datagram> sockets;
    Request<std::vector<ReceivedDatagram>> receiving;

    [[nodiscard]] bool is_over() const { return !receiving.is_in_progress(); }
    bool check(bool injected) {
      std::string got;
      bool failed = false;
      while (got.size() < count) {
        int err = 0;
        for (const ReceivedDatagram& datagram : fixture->fetch(receiving, err))
          got += test::text_of(datagram.bytes());
        BOOST_TEST((err == 0 || (injected && !failed && err == ENOMEM)), "errno " << err);
        failed = failed || err != 0;
        if (failed && err != 0 && err != ENOMEM) return failed;
        if (got.size() < count) receiving = sockets.second.recv_many(100);
      }
      BOOST_TEST(got == text());
      return failed;
    }
    static std::string text() {
      std::string all;
      for (std::size_t i = 0; i < count; ++i) all += static_cast<char>('0' + i);
      return all;
    }
  };
  const auto scenario = [](LoopFixture& fixture) {
    int err = 0;
    Steps steps{&fixture, Datagram::socketpair(fixture.loop, err), {}};
    BOOST_TEST_REQUIRE(err == 0);
    for (const char one : Steps::text()) {
      auto sending = steps.sockets.first.sendto(std::string_view(&one, 1));
      BOOST_TEST(fixture.error_of(sending) == 0);
    }
    steps.receiving = steps.sockets.second.recv_many(100);
    return steps;
  };
  BOOST_TEST(fail_each_allocation_of_the_loop(scenario) != 0U);
}

// Where the descriptor cannot be watched libuv writes later, out of memory of the library's.
BOOST_AUTO_TEST_CASE(libuv_handle_writes_nothing_later_without_memory) {
  struct Steps {
    LoopFixture* fixture;
    Pair streams;
    std::shared_ptr<Bytes> buffer;
    Bytes sent;
    Request<ssize_t> reading;
    Request<ssize_t> writing;
    std::unique_ptr<test::FailEveryCall> unwatched;

    [[nodiscard]] bool is_over() const { return !reading.is_in_progress() || has_failed(writing); }
    bool check(bool injected) {
      unwatched.reset();
      const int err = fixture->error_of(writing);
      BOOST_TEST((err == 0 || (injected && err == ENOMEM)), "errno " << err);
      BOOST_TEST((err != 0 || writing.transferred() == sent.size()));
      // What left arrives, and nothing else.
      fixture->loop.run_until_idle();
      BOOST_TEST(reading.transferred() == writing.transferred());
      BOOST_TEST(std::equal(buffer->begin(),
                            buffer->begin() + static_cast<std::ptrdiff_t>(reading.transferred()),
                            sent.begin()));
      return err != 0;
    }
  };
  const auto scenario = [](LoopFixture& fixture) {
    Steps steps{&fixture, uv_pipe_pair(fixture), {}, test::pattern(1000000), {}, {}, {}};
    steps.buffer = std::make_shared<Bytes>(steps.sent.size());
    steps.unwatched = std::make_unique<test::FailEveryCall>(test::SystemCall::fcntl, EMFILE);
    steps.writing = steps.streams.first.write(steps.sent);
    steps.reading = steps.streams.second.read(*steps.buffer);
    return steps;
  };
  BOOST_TEST(fail_each_allocation_of_the_loop(scenario) != 0U);
}

BOOST_AUTO_TEST_SUITE_END()
