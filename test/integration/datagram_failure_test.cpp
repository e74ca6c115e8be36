// Every system call on every path of datagram sockets is made to fail once, with every errno value that fits,
// and so is every allocation: nothing crashes, nothing leaks, and the one who asked hears of it.
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <functional>
#include <memory>
#include <new>
#include <ostream>

#include "support/descriptors.hpp"
#include "support/kernel_datagrams.hpp"
#include "support/syscall_injector.hpp"
#include "support/system.hpp"

namespace data = boost::unit_test::data;
using namespace tsock;
using namespace tsock::test;

namespace {

enum class Kind : std::uint8_t { udp_v4, udp_v6, unix_path, unix_pair };
std::ostream& operator<<(std::ostream& out, Kind kind) {
  static constexpr std::array names{"udp v4", "udp v6", "unix path", "unix pair"};
  return out << names.at(static_cast<std::size_t>(kind));
}

/// What a scenario works with, and what it came to.
struct Run {
  KernelDatagrams& fixture;
  Loop& loop;
  Kind kind;
  const TempDirectory& directory;
  int error = 0;      // the first errno value that was reported
  bool done = false;  // everything that the scenario does was done

  void report(int err) {
    if (error == 0) error = err;
  }
  template <class T>
  T fetch(Request<T>& request) {
    int err = 0;
    if constexpr (std::is_void_v<T>) {
      fixture.fetch(request, err);
      report(err);
    } else {
      T value = fixture.fetch(request, err);
      report(err);
      return value;
    }
  }
  template <class T>
  T fetch(Request<T>&& request) {
    Request<T> moved = std::move(request);
    return fetch(moved);
  }
  [[nodiscard]] Address address(const char* name) const {
    int err = 0;
    if (kind == Kind::udp_v4) return loopback_v4();
    if (kind == Kind::udp_v6) return loopback_v6();
    return Address::unix_from_path(directory / name, err);
  }
  Datagram open(const char* name, const Address& remote, const DatagramOptions& options) {
    int err = 0;
    Datagram datagram = kind == Kind::unix_path
                            ? Datagram::unix_datagram(loop, address(name), remote, options, err)
                            : Datagram::udp(loop, address(name), remote, options, err);
    report(err);
    return datagram;
  }
};

/// The part of a scenario that runs under injection. What it needs was made before.
using Body = std::function<void(Run&)>;

struct Ends {
  Datagram left;
  Datagram right;
  Address to_right;
};

/// Two sockets that reach each other; the left one is connected.
Ends connected(Run& run, const DatagramOptions& options) {
  Ends ends;
  if (run.kind == Kind::unix_pair) {
    int err = 0;
    std::tie(ends.left, ends.right) = Datagram::socketpair(run.loop, options, err);
    run.report(err);
    return ends;
  }
  ends.right = run.open("right", {}, options);
  if (run.error == 0) ends.left = run.open("left", ends.right.local_address(), options);
  return ends;
}

constexpr DatagramOptions everything{.receive_buffer = 100000,
                                     .send_buffer = 100000,
                                     .receive_info = true,
                                     .receive_offload = true,
                                     .send_offload = true};

Body open_them(Run&) {
  return [](Run& now) {
    DatagramOptions options = everything;
    options.icmp_errors = !uses_posix_alone();
    options.reuse_address = options.reuse_port = true;
    options.ttl = options.multicast_ttl = 3;
    options.multicast_loop = true;
    const Ends ends = connected(now, options);
    now.done = ends.left.is_open() && ends.right.is_open();
  };
}

Body open_over_a_stale_path(Run& run) {
  static_cast<void>(run.open("left", {}, {.unlink_on_close = false}));
  return [](Run& now) {
    const Datagram datagram = now.open("left", {}, {});
    now.done = datagram.is_open();
    // Whatever failed, the path may be replaced the next time.
    static_cast<void>(::unlink((now.directory / "left").c_str()));
  };
}

Body adopt_one(Run&) {
  return [](Run& now) {
    UniqueSocket fd(::socket(AF_INET, SOCK_DGRAM, 0));
    if (!fd) {
      now.report(errno);
      return;
    }
    int err = 0;
    const Datagram datagram = Datagram::adopt(now.loop, fd, everything, err);
    now.report(err);
    now.done = datagram.is_open();
    // A failure leaves the descriptor to its owner.
    if (err != 0 && !fd) now.error = 0;
  };
}

/// Sends texts in one way and takes them in another; one error is told once, and what comes behind it works.
Body exchange(Run& run, const DatagramOptions& options, bool many) {
  auto ends = std::make_shared<Ends>(connected(run, options));
  return [ends, many](Run& now) {
    const std::vector<std::string> texts{"one", "two", "", "six"};
    Queue queue(now.loop);
    std::size_t sent = 0;
    if (many) {
      auto sending = ends->left.send_many(outgoing(texts));
      const ssize_t count = now.fetch(sending);
      sent = count >= 0 ? static_cast<std::size_t>(count) : sending.transferred();
    } else {
      std::vector<Request<ssize_t>> sends;
      for (const std::string& text : texts) sends.push_back(ends->left.sendto(queue, text));
      for (auto& send : sends) {
        int err = 0;
        static_cast<void>(now.fixture.fetch(send, err));
        now.report(err);
        if (err == 0) ++sent;
      }
    }
    std::size_t received = 0;
    std::array<std::byte, 16> buffer{};
    // What there was no memory for to keep is counted.
    const auto lost = [&ends] { return static_cast<std::size_t>(ends->right.dropped()); };
    for (int failures = 0; received + lost() < sent && failures < 3;) {
      const int before = std::exchange(now.error, 0);
      if (many) {
        received += now.fetch(ends->right.recv_many(10)).size();
      } else if (received % 2 == 0) {
        static_cast<void>(now.fetch(ends->right.recvfrom()));
        if (now.error == 0) ++received;
      } else {
        static_cast<void>(now.fetch(ends->right.recvfrom(buffer)));
        if (now.error == 0) ++received;
      }
      if (now.error != 0) ++failures;
      if (before != 0) now.error = before;
    }
    // Nothing that was sent is lost in silence, whatever failed.
    now.done = received == sent && (sent == texts.size() || now.error != 0);
    if (received + lost() != sent) BOOST_ERROR("sent " << sent << ", received " << received);
    if (lost() != 0) now.report(ENOMEM);
  };
}

Body send_a_large_one(Run& run) {
  auto ends = std::make_shared<Ends>(connected(run, {}));
  const int size = 4608;
  run.report(
      ::setsockopt(ends->left.native_handle(), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0 ? 0 : errno);
  return [ends](Run& now) {
    const std::vector<std::byte> bytes = pattern(60000);
    auto receiving = ends->right.recvfrom();
    now.fetch(ends->left.sendto(bytes));
    if (now.error != 0) return;
    now.done = now.fetch(receiving).copy() == bytes;
  };
}

Body refused(Run& run) {
  auto ends = std::make_shared<Ends>(connected(run, {.icmp_errors = true}));
  ends->right = Datagram();
  run.loop.run_until_idle();
  return [ends](Run& now) {
    auto receiving = ends->left.recvfrom();
    now.loop.run_until_idle();
    int err = 0;
    auto sending = ends->left.sendto("anybody?");
    static_cast<void>(now.fixture.fetch(sending, err));
    if (err == 0) static_cast<void>(now.fixture.fetch(receiving, err));
    if (err != ECONNREFUSED) now.report(err);
    now.done = ends->left.is_open();
  };
}

Body disconnect(Run& run) {
  auto ends = std::make_shared<Ends>(connected(run, {}));
  return [ends](Run& now) {
    now.fetch(ends->left.disconnect());
    now.done = !ends->left.is_open();
  };
}

Body ask(Run& run) {
  auto ends = std::make_shared<Ends>(connected(run, {}));
  return [ends](Run& now) {
    static_cast<void>(Datagram::capabilities());
    static_cast<void>(ends->left.dropped());
    int err = 0;
    const Address group = Address::inet_from_strings("ip", "239.255.77.9", 0, err);
    if (now.kind == Kind::udp_v4) {
      now.report(ends->left.join_multicast(group, 1));
      if (now.error == 0) now.report(ends->left.leave_multicast(group, 1));
    }
    now.done = now.error == 0;
  };
}

struct Scenario {
  const char* name;
  std::vector<Kind> kinds;
  std::function<Body(Run&)> prepare;
};

const std::vector<Scenario>& scenarios() {
  static const std::vector<Kind> all{Kind::udp_v4, Kind::udp_v6, Kind::unix_path, Kind::unix_pair};
  static const std::vector<Kind> inet{Kind::udp_v4, Kind::udp_v6};
  static const std::vector<Kind> local{Kind::unix_path, Kind::unix_pair};
  static const std::vector<Scenario> list{
      {"open", all, open_them},
      {"open over a stale path", {Kind::unix_path}, open_over_a_stale_path},
      {"adopt", {Kind::udp_v4}, adopt_one},
      {"sendto and recvfrom", all, [](Run& run) { return exchange(run, {}, false); }},
      {"send_many and recv_many", all, [](Run& run) { return exchange(run, {}, true); }},
      {"everything asked for", all, [](Run& run) { return exchange(run, everything, true); }},
      {"a large one", local, send_a_large_one},
      {"refused", uses_posix_alone() ? std::vector<Kind>() : inet, refused},
      {"disconnect", all, disconnect},
      {"ask", all, ask},
  };
  return list;
}

struct Case {
  const Scenario* scenario;
  Kind kind;
};
std::ostream& operator<<(std::ostream& out, const Case& one) {
  return out << one.scenario->name << ", " << one.kind;
}

std::vector<Case> cases() {
  std::vector<Case> list;
  const bool v6 = has_ipv6();
  for (const Scenario& scenario : scenarios()) {
    for (const Kind kind : scenario.kinds) {
      if (kind != Kind::udp_v6 || v6) list.push_back({&scenario, kind});
    }
  }
  return list;
}

template <class Inject>
void run_scenario(const Case& one, const TempDirectory& directory, Inject inject) {
  KernelDatagrams fixture;
  Run run{fixture, fixture.loop, one.kind, directory};
  Body body = one.scenario->prepare(run);
  BOOST_TEST_REQUIRE(run.error == 0);
  inject(run, [&] {
    body(run);
    body = nullptr;
  });
}

/// A descriptor that libuv opens for the whole process must not be counted.
void warm_up() {
  const Loop loop;
  static_cast<void>(open_descriptor_count());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(datagram_failure)

// ENOBUFS is told: unlike a stream's bytes, a datagram need not leave, and its sender may drop it.
BOOST_DATA_TEST_CASE(every_system_call_that_fails_is_reported_and_leaks_nothing, data::make(cases()), one) {
  warm_up();
  const TempDirectory directory;
  const std::size_t open_before = open_descriptor_count();
  const std::size_t bad_before = bad_closes();
  for (std::size_t which = 0; which < most_errors; ++which) {
    bool injected = true;
    for (std::size_t n = 0; std::exchange(injected, false); ++n) {
      run_scenario(one, directory, [&](Run& run, const auto& body) {
        const FailNthCall injection(n, which);
        body();
        injected = injection.was_injected();
        if (!injected) {
          BOOST_TEST((run.done && run.error == 0),
                     "nothing failed, but done " << run.done << ", errno " << run.error);
        } else if (is_transient(injection.call(), injection.error()) && injection.error() != ENOBUFS) {
          BOOST_TEST((run.done && run.error == 0), "call " << n << ", " << injection.call() << " with "
                                                           << error_name(injection.error()) << ": done "
                                                           << run.done << ", errno " << run.error);
        } else {
          BOOST_TEST((run.error != 0 || run.done), "call " << n << ", " << injection.call() << " with "
                                                           << error_name(injection.error())
                                                           << " is not reported");
          if (run.error == 0)
            BOOST_TEST_MESSAGE(one << ": call " << n << ", " << injection.call() << " unnoticed");
        }
      });
      BOOST_TEST_REQUIRE(open_descriptor_count() == open_before);
      // No socket file is left behind.
      BOOST_TEST_REQUIRE(std::filesystem::is_empty(directory.path()));
      BOOST_TEST_REQUIRE(n < 1000U);
    }
  }
  BOOST_TEST(bad_closes() == bad_before);
}

BOOST_DATA_TEST_CASE(every_allocation_that_fails_is_reported_and_leaks_nothing, data::make(cases()), one) {
  warm_up();
  const TempDirectory directory;
  const std::size_t open_before = open_descriptor_count();
  bool injected = true;
  for (std::size_t n = 0; std::exchange(injected, false); ++n) {
    run_scenario(one, directory, [&](Run& run, const auto& body) {
      bool thrown = false;
      const FailNthAllocation injection(n);
      try {
        body();
      } catch (const std::bad_alloc&) {
        thrown = true;
      }
      injected = injection.was_injected();
      BOOST_TEST((run.done || run.error != 0 || thrown), "allocation " << n << " is not reported");
    });
    BOOST_TEST_REQUIRE(open_descriptor_count() == open_before);
    static_cast<void>(::unlink((directory / "left").c_str()));
    BOOST_TEST_REQUIRE(std::filesystem::is_empty(directory.path()));
    BOOST_TEST_REQUIRE(n < 1000U);
  }
}

BOOST_AUTO_TEST_SUITE_END()
