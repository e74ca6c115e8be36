#include "tsock/resolver.hpp"

#include <netdb.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <tsock/tsock.hpp>
#include <vector>

#include "support/fake_getaddrinfo.hpp"
#include "support/loop_fixture.hpp"
#include "support/sanitizer.hpp"
#include "support/thread_shortage.hpp"

using namespace tsock;
using namespace std::chrono_literals;
using tsock::test::FakeNames;
using tsock::test::LoopFixture;
using tsock::test::ThreadShortage;

namespace {

struct ResolverFixture : LoopFixture {
  FakeNames names;

  ~ResolverFixture() { names.let_go(); }

  std::vector<std::string> resolved(std::string_view host, std::string_view service,
                                    const ResolveOptions& options, int& err) {
    Request<std::vector<Address>> request = resolve(loop, host, service, options);
    std::vector<std::string> texts;
    for (const Address& address : fetch(request, err)) texts.push_back(address.to_string());
    return texts;
  }
  int error_for(std::string_view host, std::string_view service, const ResolveOptions& options = {}) {
    int err = 0;
    const bool has_none = resolved(host, service, options, err).empty();
    BOOST_TEST(has_none == (err != 0));
    return err;
  }
};

using Texts = std::vector<std::string>;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(resolver, ResolverFixture)

BOOST_AUTO_TEST_CASE(numeric_text_is_turned_without_a_worker_thread) {
  int err = -1;
  auto request = resolve(loop, "127.0.0.1", "80");
  loop.run_until_idle();
  BOOST_TEST(!request.is_in_progress());
  BOOST_TEST(request.recv(err).at(0).to_string() == "127.0.0.1:80");
  BOOST_TEST(resolved("::1", "443", {}, err) == Texts{"[::1]:443"}, boost::test_tools::per_element());
  BOOST_TEST(resolved("[::1]", "443", {}, err) == Texts{"[::1]:443"}, boost::test_tools::per_element());
  BOOST_TEST(resolved("fe80::1%lo", "1", {}, err) == Texts{"[fe80::1%lo]:1"},
             boost::test_tools::per_element());
  BOOST_TEST(resolved("10.0.0.1", "", {}, err) == Texts{"10.0.0.1:0"}, boost::test_tools::per_element());
  BOOST_TEST(names.lookups() == 0);
}

BOOST_AUTO_TEST_CASE(completes_from_the_loop_and_not_inside_the_call) {
  auto request = resolve(loop, "127.0.0.1", "80");
  BOOST_TEST(request.is_in_progress());
  BOOST_TEST(error_of(request) == 0);
}

BOOST_AUTO_TEST_CASE(empty_host_is_the_loopback_or_the_wildcard) {
  int err = -1;
  BOOST_TEST(resolved("", "5", {}, err) == (Texts{"[::1]:5", "127.0.0.1:5"}),
             boost::test_tools::per_element());
  BOOST_TEST(resolved("", "5", {.passive = true}, err) == (Texts{"[::]:5", "0.0.0.0:5"}),
             boost::test_tools::per_element());
  BOOST_TEST(resolved("", "5", {.family = AddressFamily::ipv4}, err) == Texts{"127.0.0.1:5"},
             boost::test_tools::per_element());
  BOOST_TEST(resolved("", "", {.family = AddressFamily::ipv6, .passive = true}, err) == Texts{"[::]:0"},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(name_gives_its_addresses_in_the_order_of_the_system_and_each_once) {
  names.add("www.fake", {"10.0.0.2", "2001:db8::1", "10.0.0.1", "10.0.0.2"});
  int err = -1;
  BOOST_TEST(resolved("www.fake", "80", {}, err) == (Texts{"10.0.0.2:80", "[2001:db8::1]:80", "10.0.0.1:80"}),
             boost::test_tools::per_element());
  BOOST_TEST(err == 0);
  BOOST_TEST(resolved("www.fake", "80", {.family = AddressFamily::ipv6}, err) == Texts{"[2001:db8::1]:80"},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(localhost_is_resolved_by_the_system) {
  int err = -1;
  const Texts found = resolved("localhost", "7", {.family = AddressFamily::ipv4}, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(found == Texts{"127.0.0.1:7"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(service_may_be_a_name) {
  if (::getservbyname("https", "tcp") == nullptr) {
    BOOST_TEST_MESSAGE("skipped: no services database here");
    return;
  }
  int err = -1;
  BOOST_TEST(resolved("127.0.0.1", "https", {}, err) == Texts{"127.0.0.1:443"},
             boost::test_tools::per_element());
  BOOST_TEST(resolved("127.0.0.1", "https", {.numeric_only = true}, err) == Texts{"127.0.0.1:443"},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(bad_text_is_named_by_its_errno) {
  BOOST_TEST(error_for("127.0.0.1", "65536") == EINVAL);
  BOOST_TEST(error_for("127.0.0.1", "no-such-service-here") == EINVAL);
  BOOST_TEST(error_for("1:2:x", "80") == EINVAL);
  BOOST_TEST(error_for("[::1", "80") == EINVAL);
  BOOST_TEST(error_for("[www.fake]", "80") == EINVAL);
  BOOST_TEST(error_for(std::string_view("a\0b", 3), "80") == EINVAL);
  BOOST_TEST(error_for("www.fake", "80", {.numeric_only = true}) == EINVAL);
  BOOST_TEST(error_for(std::string(256, 'a'), "80") == ENAMETOOLONG);
  BOOST_TEST(error_for("127.0.0.1", "80", {.family = AddressFamily::ipv6}) == EAFNOSUPPORT);
  BOOST_TEST(error_for("::1", "80", {.family = AddressFamily::ipv4}) == EAFNOSUPPORT);
  BOOST_TEST(names.lookups() == 0);
}

// getaddrinfo() takes them, as inet_aton() did, and Address does not.
BOOST_AUTO_TEST_CASE(numbers_that_are_no_address_do_not_reach_the_system) {
  for (const char* host : {"127.1", "127.0.1", "0x7f000001", "0X7F.1", "2130706433", "0177.0.0.1",
                           "127.0.0.01", "127.0.0.1.", "0x7f.0x0.0x0.0x1", "0", "1.2.3.4.5", "256.0.0.1",
                           "127.1 ", " 127.0.0.1", "127.0.0.1\n", "a b.fake", "\tx.fake", "127.0.0.1%lo"}) {
    for (const char* service : {"80", "https", ""}) {
      BOOST_TEST(error_for(host, service) == EINVAL, host << " port " << service);
      BOOST_TEST(error_of(connect_to_host(loop, host, service)) == EINVAL, host << " port " << service);
    }
    BOOST_TEST(!is_host_text(host), host);
  }
  BOOST_TEST(names.lookups() == 0);
  names.add("7.fake", {"10.0.0.1"});
  names.add("0x7f.fake", {"10.0.0.1"});
  for (const char* host : {"7.fake", "0x7f.fake"}) {
    BOOST_TEST(error_for(host, "80") == 0, host);
    BOOST_TEST(is_host_text(host), host);
  }
  for (const char* host : {"localhost", "a-b.example.", "127.0.0.1", "::1", "[::1]", "web.1", "1.web"})
    BOOST_TEST(is_host_text(host), host);
  for (const char* host : {"", "[::1", "[localhost]", "1:2:x", "a:b"}) BOOST_TEST(!is_host_text(host), host);
  BOOST_TEST(!is_host_text(nullptr));
}

BOOST_AUTO_TEST_CASE(a_service_that_is_neither_number_nor_name_does_not_reach_the_system) {
  for (const char* service : {"-1", "+80", " 80", "80 ", "8 0", "80-", "65536", "http ", "."}) {
    BOOST_TEST(error_for("127.0.0.1", service) == EINVAL, service);
    BOOST_TEST(error_for("www.fake", service) == EINVAL, service);
  }
  BOOST_TEST(names.lookups() == 0);
}

BOOST_AUTO_TEST_CASE(null_is_the_empty_host_and_port_0) {
  const char* const null = nullptr;
  auto request = resolve(loop, null, null, {.family = AddressFamily::ipv4});
  int err = -1;
  const std::vector<Address> found = fetch(request, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(found.at(0).to_string() == "127.0.0.1:0");
  BOOST_TEST(error_of(connect_to_host(loop, null, "1", {.family = AddressFamily::ipv4})) == ECONNREFUSED);
}

BOOST_AUTO_TEST_CASE(failures_of_getaddrinfo_are_errno_values) {
  struct Row {
    const char* name;
    int code;
    int system_error;
    int expected;
  };
  for (const Row& row :
       {Row{"noname.fake", EAI_NONAME, 0, ENXIO}, Row{"nodata.fake", EAI_NODATA, 0, ENXIO},
        Row{"again.fake", EAI_AGAIN, 0, EAGAIN}, Row{"fail.fake", EAI_FAIL, 0, EIO},
        Row{"memory.fake", EAI_MEMORY, 0, ENOMEM}, Row{"family.fake", EAI_FAMILY, 0, EAFNOSUPPORT},
        Row{"service.fake", EAI_SERVICE, 0, EINVAL}, Row{"system.fake", EAI_SYSTEM, EMFILE, EMFILE}}) {
    names.fail(row.name, row.code, row.system_error);
    BOOST_TEST_CONTEXT(row.name) BOOST_TEST(error_for(row.name, "80") == row.expected);
  }
  names.add("v4.fake", {"10.0.0.1"});
  BOOST_TEST(error_for("v4.fake", "80", {.family = AddressFamily::ipv6}) == ENXIO);
}

BOOST_AUTO_TEST_CASE(deadline_comes_while_the_worker_thread_is_stuck) {
  names.get_stuck("stuck.fake");
  auto request = resolve(loop, "stuck.fake", "80");
  names.wait_for_stuck(1);
  request.set_timeout(1ms);
  BOOST_TEST(error_of(request) == ETIMEDOUT);
}

BOOST_AUTO_TEST_CASE(cancel_ends_at_once_while_the_worker_thread_is_stuck) {
  names.get_stuck("stuck.fake");
  auto request = resolve(loop, "stuck.fake", "80");
  names.wait_for_stuck(1);
  BOOST_TEST(request.cancel());
  loop.run_until_idle();
  BOOST_TEST(!request.is_in_progress());
  BOOST_TEST(error_of(request) == ECANCELED);
}

BOOST_AUTO_TEST_CASE(request_destroyed_while_the_worker_thread_is_stuck_is_silent) {
  names.get_stuck("stuck.fake");
  bool called = false;
  {
    auto request = resolve(loop, "stuck.fake", "80");
    request.set_callback([&called](auto&) { called = true; });
    names.wait_for_stuck(1);
  }
  names.let_go();
  loop.run();
  BOOST_TEST(!called);
}

BOOST_AUTO_TEST_CASE(request_destroyed_in_its_own_callback) {
  names.add("www.fake", {"10.0.0.1"});
  auto request = std::make_unique<Request<std::vector<Address>>>(resolve(loop, "www.fake", "80"));
  request->set_callback([&request](auto&) { request.reset(); });
  BOOST_TEST(run_until([&request] { return request == nullptr; }));
}

BOOST_AUTO_TEST_CASE(loop_destroyed_before_the_lookup_returns) {
  names.get_stuck("stuck.fake");
  bool called = false;
  auto own = std::make_unique<Loop>();
  auto request = resolve(*own, "stuck.fake", "80");
  request.set_callback([&called](auto&) { called = true; });
  names.wait_for_stuck(1);
  std::thread helper([this] { names.let_go(); });
  own.reset();
  helper.join();
  BOOST_TEST(!called);
  int err = 0;
  BOOST_TEST(request.recv(err).empty());
  BOOST_TEST(err == ECANCELED);
}

BOOST_AUTO_TEST_CASE(run_returns_while_an_abandoned_lookup_is_stuck) {
  names.get_stuck("stuck.fake");
  {
    const auto request = resolve(loop, "stuck.fake", "80");
    names.wait_for_stuck(1);
  }
  loop.run();  // or this test hangs
  BOOST_TEST(names.lookups() == 1);
}

BOOST_AUTO_TEST_CASE(loop_is_destroyed_while_a_lookup_is_stuck) {
  names.get_stuck("stuck.fake");
  auto own = std::make_unique<Loop>();
  auto request = resolve(*own, "stuck.fake", "80");
  names.wait_for_stuck(1);
  own.reset();  // or this test hangs
  int err = 0;
  BOOST_TEST(request.recv(err).empty());
  BOOST_TEST(err == ECANCELED);
}

// As return from main() does: with destructors of static objects and functions of atexit(3).
BOOST_AUTO_TEST_CASE(process_exits_while_a_lookup_is_stuck,
                     *boost::unit_test::precondition(test::children_may_have_threads)) {
  const pid_t child = ::fork();
  BOOST_TEST_REQUIRE(child >= 0);
  if (child == 0) {
    ::alarm(20);  // kills a child that hangs
    ::close(1);   // what the test program has to say at its end
    ::close(2);
    test::ignore_leaks();
    names.get_stuck("stuck.fake");
    {
      Loop own;
      auto request = resolve(own, "stuck.fake", "80");
      names.wait_for_stuck(1);
      request.set_timeout(1ms);
      int err = 0;
      static_cast<void>(request.wait(err));
      static_cast<void>(request.recv(err));
      if (err != ETIMEDOUT) ::_exit(1);
    }
    std::exit(0);
  }
  int status = 0;
  BOOST_TEST(::waitpid(child, &status, 0) == child);
  BOOST_TEST(status == 0);
}

BOOST_AUTO_TEST_CASE(files_do_not_wait_for_stuck_lookups) {
  names.get_stuck("stuck.fake");
  std::vector<Request<std::vector<Address>>> requests;
  for (int i = 0; i < 16; ++i) requests.push_back(resolve(loop, "stuck.fake", "80"));
  names.wait_for_stuck(16);
  int err = 0;
  Stream file = open_file(loop, "/proc/self/cmdline", FileMode::read, err);
  std::byte byte{};
  auto reading = file.read({&byte, 1});
  BOOST_TEST(error_of(reading) == 0);
  file = Stream();
  requests.clear();
  loop.run();
}

BOOST_AUTO_TEST_CASE(lookups_beyond_the_number_of_threads_wait_in_order_and_can_be_cancelled) {
  names.get_stuck("stuck.fake");
  names.add("www.fake", {"10.0.0.1"});
  std::vector<Request<std::vector<Address>>> stuck;
  for (int i = 0; i < 16; ++i) stuck.push_back(resolve(loop, "stuck.fake", "80"));
  names.wait_for_stuck(16);
  auto first = resolve(loop, "www.fake", "1");
  auto cancelled = resolve(loop, "www.fake", "2");
  auto late = resolve(loop, "www.fake", "3");
  auto dropped = resolve(loop, "www.fake", "4");
  auto last = resolve(loop, "www.fake", "5");
  loop.run_until_idle();
  BOOST_TEST(names.lookups() == 16);
  BOOST_TEST(cancelled.cancel());
  BOOST_TEST(error_of(cancelled) == ECANCELED);
  late.set_timeout(1ms);
  BOOST_TEST(error_of(late) == ETIMEDOUT);
  dropped = {};
  BOOST_TEST(first.is_in_progress());
  names.let_go();
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(error_of(last) == 0);
  for (auto& request : stuck) BOOST_TEST(error_of(request) == 0);
  BOOST_TEST(names.lookups() == 18);
}

BOOST_AUTO_TEST_CASE(no_thread_to_be_had_is_eagain_and_the_next_lookup_tries_again) {
  names.add("www.fake", {"10.0.0.1"});
  {
    const ThreadShortage shortage;
    BOOST_TEST(error_for("www.fake", "80") == EAGAIN);
    BOOST_TEST(error_for("127.0.0.1", "80") == 0);
    BOOST_TEST(error_of(connect_to_host(loop, "www.fake", "80")) == EAGAIN);
  }
  BOOST_TEST(error_for("www.fake", "80") == 0);
}

BOOST_AUTO_TEST_CASE(dump_names_what_is_looked_up) {
  names.get_stuck("stuck.fake");
  auto request = resolve(loop, "stuck.fake", "80");
  BOOST_TEST(dump().find("resolve") != std::string::npos);
  BOOST_TEST(dump().find("stuck.fake") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
