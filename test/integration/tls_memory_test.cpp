// No memory for TLS: each allocation of OpenSSL in turn fails, then each one of the library itself.
#if defined(TSOCK_TEST_CERTIFICATES)

#include <openssl/crypto.h>

#include <array>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <ostream>
#include <string>
#include <tsock/tls/tls.hpp>
#include <utility>

#include "support/certificates/certificate.hpp"
#include "support/loop_fixture.hpp"
#include "support/sanitizer.hpp"
#include "support/syscall_injector.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

namespace data = boost::unit_test::data;

// Of all allocations; a handshake has thousands of them.
constexpr std::size_t most_injections = 60;

class FailNthOfOpenSsl;
thread_local FailNthOfOpenSsl* failing_openssl = nullptr;
thread_local long blocks_of_openssl = 0;

/// While it lives, the n-th allocation (from 0) by OpenSSL of this thread fails.
class FailNthOfOpenSsl {
 public:
  explicit FailNthOfOpenSsl(std::size_t n) noexcept : left_(n) { failing_openssl = this; }
  FailNthOfOpenSsl(const FailNthOfOpenSsl&) = delete;
  FailNthOfOpenSsl& operator=(const FailNthOfOpenSsl&) = delete;
  ~FailNthOfOpenSsl() { failing_openssl = nullptr; }

  [[nodiscard]] bool was_injected() const noexcept { return injected_; }
  [[nodiscard]] std::size_t count() const noexcept { return std::numeric_limits<std::size_t>::max() - left_; }
  bool next() noexcept {
    if (injected_ || left_-- != 0) return false;
    injected_ = true;
    return true;
  }

 private:
  std::size_t left_;
  bool injected_ = false;
};

bool fails() noexcept { return failing_openssl != nullptr && failing_openssl->next(); }

void* allocate_for_openssl(std::size_t size, const char* /*file*/, int /*line*/) {
  if (size == 0 || fails()) return nullptr;
  ++blocks_of_openssl;
  return std::malloc(size);
}
void release_for_openssl(void* memory, const char* /*file*/, int /*line*/) {
  if (memory != nullptr) --blocks_of_openssl;
  std::free(memory);
}
void* reallocate_for_openssl(void* memory, std::size_t size, const char* file, int line) {
  if (memory == nullptr) return allocate_for_openssl(size, file, line);
  if (size == 0) {
    release_for_openssl(memory, file, line);
    return nullptr;
  }
  return fails() ? nullptr : std::realloc(memory, size);
}

// Before OpenSSL allocates anything.
const int is_installed =
    CRYPTO_set_mem_functions(allocate_for_openssl, reallocate_for_openssl, release_for_openssl);

/// What a step of a session has come to.
struct Ends {
  int near = 0;
  int far = 0;
  [[nodiscard]] bool are_good() const noexcept { return near == 0 && far == 0; }
};
std::ostream& operator<<(std::ostream& out, const Ends& ends) {
  return out << error_name(ends.near) << " and " << error_name(ends.far);
}

/// A certificate, and the options of the contexts that show and check it.
struct Options {
  explicit Options(tls::Version version) {
    const Certificate authority = Certificate::self_signed(authority_profile("Authority"));
    const Certificate own = authority.issue(server_profile("www.example.com"));
    const Certificate other = authority.issue(client_profile("client"));
    client = {.trust = {.ca_pem = authority.pem()},
              .identity = {.certificate_pem = other.pem(), .key_pem = other.key_pem()},
              .protocol = {.lowest = version, .highest = version, .alpn = {"one", "two"}}};
    server = {.identities = {{.certificate_pem = own.pem(), .key_pem = own.key_pem()}},
              .client_auth = tls::ClientAuth::require,
              .trust = {.ca_pem = authority.pem()},
              .protocol = {.lowest = version, .highest = version, .alpn = {"two"}}};
  }
  tls::ClientOptions client;
  tls::ServerOptions server;
};

/// The steps of a session over memory; each may be run while an allocation fails.
class Session {
 public:
  Session(LoopFixture& fixture, const Options& options) : fixture_(fixture), options_(options) {}

  void make_contexts(Ends& ends) {
    client_ = tls::Context::client(options_.client, ends.near, reason);
    if (ends.near == 0) server_ = tls::Context::server(options_.server, ends.far, reason);
  }
  void shake(Ends& ends) {
    auto [left, right] = memory_stream_pair(fixture_.loop, {.read_ahead = true});
    Request<Stream> connecting = tls::connect(std::move(left), client_, {.peer_name = "www.example.com"});
    Request<Stream> accepting = tls::accept(std::move(right), server_);
    near_ = fixture_.fetch(connecting, ends.near);
    far_ = fixture_.fetch(accepting, ends.far);
    reason = std::string(connecting.reason()) + '|' + std::string(accepting.reason());
  }
  // A ticket of TLS 1.3 is on its way.
  void talk(Ends& ends) {
    std::array<std::byte, 100> room{};
    for (auto [from, to] : {std::pair(&near_, &far_), std::pair(&far_, &near_)}) {
      Request<ssize_t> reading = to->read(room);
      Request<ssize_t> writing = from->write(sent_);
      wait_for_both(writing, reading, ends);
      if (ends.are_good()) BOOST_TEST((room == sent_));
      if (!ends.are_good()) return;
    }
  }
  void ask(Ends& ends) {
    try {
      for (const Stream* const stream : {&near_, &far_}) {
        const tls::Peer peer = tls::peer(*stream, ends.near);
        if (ends.near != 0) return;
        static_cast<void>(tls::channel_binding(*stream, tls::ChannelBinding::exporter, ends.near));
        if (ends.near != 0) return;
        static_cast<void>(tls::channel_binding(*stream, tls::ChannelBinding::server_end_point, ends.near));
        if (ends.near != 0) return;
        static_cast<void>(tls::export_keying_material(*stream, "label", "context", 32, ends.near));
        if (ends.near != 0) return;
      }
    } catch (const std::bad_alloc&) {
      ends.near = ENOMEM;
    }
  }
  void leave(Ends& ends) {
    Request<void> first = near_.shutdown_write();
    std::byte byte{};
    Request<ssize_t> reading = far_.read(std::span(&byte, 1));
    wait_for_both(first, reading, ends);
    if (ends.far == EPIPE) ends.far = 0;
  }

  std::string reason;

 private:
  // Over memory, nothing is written to a reader that has given up, and nothing read from such a writer.
  template <class T>
  void wait_for_both(Request<T>& writing, Request<ssize_t>& reading, Ends& ends) {
    const auto has_failed = [](const auto& request, int& err) {
      return !request.is_in_progress() && request.is_error(err);
    };
    BOOST_TEST_REQUIRE(fixture_.run_until([&] {
      return has_failed(writing, ends.near) || has_failed(reading, ends.far) ||
             (!writing.is_in_progress() && !reading.is_in_progress());
    }));
  }

  LoopFixture& fixture_;
  const Options& options_;
  tls::Context client_;
  tls::Context server_;
  Stream near_;
  Stream far_;
  std::array<std::byte, 100> sent_{};
};

using Step = void (Session::*)(Ends&);
struct Case {
  const char* name;
  Step step;
  tls::Version version;
};
std::ostream& operator<<(std::ostream& out, const Case& one) {
  return out << one.name << (one.version == tls::Version::tls1_2 ? ", TLS 1.2" : ", TLS 1.3");
}

constexpr std::array<Step, 5> steps{&Session::make_contexts, &Session::shake, &Session::talk, &Session::ask,
                                    &Session::leave};

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const tls::Version version : {tls::Version::tls1_2, tls::Version::tls1_3}) {
    list.push_back({"contexts", &Session::make_contexts, version});
    list.push_back({"handshake", &Session::shake, version});
    list.push_back({"data", &Session::talk, version});
    list.push_back({"questions", &Session::ask, version});
    list.push_back({"end", &Session::leave, version});
  }
  return list;
}

const Options& options_of(tls::Version version) {
  static const Options tls1_2(tls::Version::tls1_2);
  static const Options tls1_3(tls::Version::tls1_3);
  return version == tls::Version::tls1_2 ? tls1_2 : tls1_3;
}

/// Runs the steps up to that of the case, which `run` is given. Its results are in `ends`.
template <class Run>
void run_case(const Case& one, Ends& ends, std::string& reason, Run run) {
  LoopFixture fixture;
  Session session(fixture, options_of(one.version));
  for (const Step step : steps) {
    if (step == one.step) break;
    Ends before;
    (session.*step)(before);
    BOOST_TEST_REQUIRE(before.are_good(), before << ' ' << session.reason);
  }
  run([&] { (session.*one.step)(ends); });
  reason = session.reason;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tls_memory, *boost::unit_test::precondition(allocations_can_fail))

// OpenSSL forgets now and then to say that it was memory that failed, and calls it an internal error, or a
// certificate that it cannot read; it never takes it for a success of what it has not done.
BOOST_DATA_TEST_CASE(allocation_of_openssl_that_fails_ends_with_an_error, data::make(cases()), one) {
  BOOST_TEST_REQUIRE(is_installed == 1);
  Ends ends;
  std::string reason;
  std::size_t allocations = 0;
  for (unsigned i = 0; i < 3; ++i) {  // OpenSSL keeps some of what it makes
    run_case(one, ends, reason, [&](const auto& step) {
      const FailNthOfOpenSsl counting(std::numeric_limits<std::size_t>::max());
      step();
      allocations = counting.count();
    });
    BOOST_TEST_REQUIRE(ends.are_good(), ends);
  }
  const long blocks = blocks_of_openssl;
  const std::size_t stride = allocations / most_injections + 1;
  unsigned reported = 0;
  unsigned failed = 0;
  for (std::size_t n = 0; n < allocations; n += stride) {
    ends = {};
    bool injected = false;
    run_case(one, ends, reason, [&](const auto& step) {
      const FailNthOfOpenSsl failing(n);
      step();
      injected = failing.was_injected();
    });
    BOOST_TEST((ends.are_good() || injected), "allocation " << n << ": " << ends << ' ' << reason);
    // One of them at least has not been told by the other.
    BOOST_TEST(!(reason.starts_with("the peer refuses") && reason.find("|the peer refuses") != reason.npos),
               "allocation " << n << ": " << reason);
    if (ends.near == ENOMEM || ends.far == ENOMEM) ++reported;
    if (!ends.are_good()) ++failed;
  }
  run_case(one, ends, reason, [](const auto& step) { step(); });
  BOOST_TEST_MESSAGE(one << ": " << allocations << " allocations, " << failed << " failures, " << reported
                         << " with ENOMEM, " << blocks_of_openssl - blocks << " blocks more");
  BOOST_TEST(reported != 0U);
  // What it keeps comes and goes.
  BOOST_TEST(blocks_of_openssl < blocks + 20);
}

BOOST_DATA_TEST_CASE(allocation_that_fails_ends_with_enomem, data::make(cases()), one) {
  Ends ends;
  std::string reason;
  run_case(one, ends, reason, [](const auto& step) { step(); });
  bool injected = true;
  for (std::size_t n = 0; std::exchange(injected, false); ++n) {
    BOOST_TEST_REQUIRE(n < 2000U);
    ends = {};
    bool is_thrown = false;
    run_case(one, ends, reason, [&](const auto& step) {
      const FailNthAllocation failing(n);
      try {
        step();
      } catch (const std::bad_alloc&) {
        is_thrown = true;
      }
      injected = failing.was_injected();
    });
    const bool is_reported = is_thrown || ends.near == ENOMEM || ends.far == ENOMEM;
    BOOST_TEST((ends.are_good() || (injected && is_reported)),
               "allocation " << n << ": " << ends << ' ' << reason);
  }
}

BOOST_AUTO_TEST_SUITE_END()

#endif
