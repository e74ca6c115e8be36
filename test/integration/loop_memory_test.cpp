// No memory in a loop that runs: each allocation in turn fails, and who waits hears of it.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>
#include <string>
#include <tsock/tsock.hpp>
#include <utility>

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
      UniqueFd fd(::socket(AF_UNIX, (kind == Kind::datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0));
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

BOOST_AUTO_TEST_SUITE_END()
