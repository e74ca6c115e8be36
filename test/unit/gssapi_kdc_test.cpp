// GSSAPI handshakes while the KDC stops, dies or says nonsense.
#include <sys/socket.h>

#include <array>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <tsock/gssapi/gssapi.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "gssapi/mit/credentials_state.hpp"
#include "support/kdc.hpp"
#include "support/loop_fixture.hpp"

namespace tsock::test {

namespace {

using namespace std::chrono_literals;
using gssapi::Credentials;

bool has_words(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

gssapi::ConnectOptions to_service(const char* service, Credentials credentials) {
  return {.target = std::string(service) + "@localhost", .credentials = std::move(credentials)};
}

struct KdcFixture : LoopFixture {
  Kdc* kdc = Kdc::get();

  /// A client's request, and the other end of its stream.
  struct Client {
    Stream peer;
    Request<Stream> request;
  };
  Client begin(const gssapi::ConnectOptions& options) {
    auto pair = tcp_pair();
    return {std::move(pair.second), gssapi::connect(std::move(pair.first), options)};
  }
  /// Both sides of a handshake, which has to succeed. \return who the server has seen
  gssapi::Peer shake(const gssapi::ConnectOptions& options,
                     const gssapi::AcceptOptions& server_options = {}) {
    Client client = begin(options);
    Request<Stream> accepting = gssapi::accept(std::move(client.peer), server_options);
    int err = 0;
    const Stream stream = fetch(client.request, err);
    BOOST_TEST_REQUIRE(err == 0, client.request.reason());
    const Stream server = fetch(accepting, err);
    BOOST_TEST_REQUIRE(err == 0, accepting.reason());
    return gssapi::peer(server, err);
  }
  /// Something else that the loop has to do while a handshake is stuck.
  void check_loop_runs() {
    Request<int> other = run_on_worker(loop, [] { return 7; });
    int err = -1;
    BOOST_TEST(fetch(other, err) == 7);
    BOOST_TEST((send_through(memory_pair()) == "through"));
  }

 private:
  std::string send_through(std::pair<Stream, Stream> pair) {
    return text_of(LoopFixture::send_through(pair.first, pair.second, bytes_of("through")));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(gssapi_kdc, KdcFixture)

BOOST_AUTO_TEST_CASE(a_kdc_that_stops_holds_up_neither_the_loop_nor_a_deadline) {
  if (kdc == nullptr) return;
  const Credentials credentials = Credentials::with_password("alice", Kdc::alices_password);
  {
    const Kdc::Pause pause(*kdc);
    Client client = begin(to_service("gsstest", credentials));
    check_loop_runs();
    BOOST_TEST(client.request.is_in_progress());
    client.request.set_timeout(1ms);
    BOOST_TEST(error_of(client.request) == ETIMEDOUT);
    std::array<std::byte, 1> byte{};
    BOOST_TEST(error_of(client.peer.read(byte)) == EPIPE);
  }
  BOOST_TEST(shake(to_service("gsstest", credentials)).name == "alice@TSOCK.TEST");
}

BOOST_AUTO_TEST_CASE(a_handshake_goes_on_where_the_kdc_does) {
  if (kdc == nullptr) return;
  Client client;
  {
    const Kdc::Pause pause(*kdc);
    client = begin(to_service("gsstest", Credentials::with_password("alice", Kdc::alices_password)));
    check_loop_runs();
  }
  Request<Stream> accepting = gssapi::accept(std::move(client.peer));
  BOOST_TEST(error_of(client.request) == 0, client.request.reason());
  BOOST_TEST(error_of(accepting) == 0, accepting.reason());
}

BOOST_AUTO_TEST_CASE(a_kdc_that_is_killed_between_two_tickets_is_told_in_words) {
  if (kdc == nullptr) return;
  const Credentials credentials = Credentials::from_ccache(kdc->ticket("alice", Kdc::alices_password));
  const gssapi::ConnectOptions known = to_service("gsstest", credentials);
  const gssapi::ConnectOptions unknown = to_service("other", credentials);
  BOOST_TEST(shake(known).name == "alice@TSOCK.TEST");
  {
    const Kdc::Outage outage(*kdc);
    Client client = begin(unknown);
    BOOST_TEST(error_of(client.request) == EHOSTUNREACH);
    BOOST_TEST(has_words(client.request.reason(), "annot contact any KDC"), client.request.reason());
    client = begin(to_service("gsstest", Credentials::with_password("alice", Kdc::alices_password)));
    BOOST_TEST(error_of(client.request) == EHOSTUNREACH);
    BOOST_TEST(has_words(client.request.reason(), "annot contact any KDC"), client.request.reason());
    // The ticket that is there needs no KDC.
    BOOST_TEST(shake(known).name == "alice@TSOCK.TEST");
  }
  BOOST_TEST(shake(unknown, {.credentials = Credentials::from_keytab(kdc->file("other.keytab"))}).name ==
             "alice@TSOCK.TEST");
}

BOOST_AUTO_TEST_CASE(a_kdc_that_dies_in_its_answer_or_says_nonsense_is_told_in_words) {
  if (kdc == nullptr) return;
  for (const std::string_view answer :
       {std::string_view(), std::string_view("\0\0\1\0abc", 7), std::string_view("\0\0\0\3abc", 7),
        std::string_view("\x7f\xff\xff\xff", 4), std::string_view("\0\0\0\0", 4)}) {
    Client client = begin(to_service("gsstest", Credentials::with_password("alice@HELD.TEST", "pw")));
    {
      const UniqueSocket connection = kdc->next_held();
      std::array<std::byte, 4> length{};
      BOOST_TEST(::recv(connection.get(), length.data(), length.size(), MSG_WAITALL) == 4);
      BOOST_TEST(::send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL) ==
                 static_cast<ssize_t>(answer.size()));
    }
    const int err = error_of(client.request);
    BOOST_TEST((err == EHOSTUNREACH || err == EACCES), "errno " << err);
    BOOST_TEST(!client.request.reason().empty());
  }
}

BOOST_AUTO_TEST_CASE(handshakes_that_need_the_same_answer_of_a_kdc_ask_once_and_share_its_error) {
  if (kdc == nullptr) return;
  const Credentials credentials = Credentials::with_password("alice@HELD.TEST", "pw");
  std::vector<Client> clients;
  for (unsigned i = 0; i < 3; ++i) clients.push_back(begin(to_service("gsstest", credentials)));
  UniqueSocket connection = kdc->next_held();
  BOOST_TEST_REQUIRE(run_until([&credentials] { return credentials.state()->waiting() == 2; }));
  // One that nobody waits for any more does not change that.
  clients.back().request.cancel();
  BOOST_TEST(error_of(clients.back().request) == ECANCELED);
  check_loop_runs();
  connection.reset();
  for (unsigned i = 0; i < 2; ++i) {
    BOOST_TEST(error_of(clients[i].request) == EHOSTUNREACH);
    BOOST_TEST(has_words(clients[i].request.reason(), "annot contact any KDC"), clients[i].request.reason());
  }
  // Whoever comes later asks anew.
  Client late = begin(to_service("gsstest", credentials));
  connection = kdc->next_held();
  connection.reset();
  BOOST_TEST(error_of(late.request) == EHOSTUNREACH);
}

BOOST_DATA_TEST_CASE_F(KdcFixture, a_handshake_that_waits_for_a_kdc_holds_up_no_other_with_its_credentials,
                       boost::unit_test::data::make({"password", "keytab", "delegated"}) *
                           boost::unit_test::data::make({"kerberos", "spnego"}),
                       source, mechanism) {
  if (kdc == nullptr) return;
  const std::string_view wanted = source;
  Credentials credentials = Credentials::with_password("alice", Kdc::alices_password);
  if (wanted == "keytab") credentials = Credentials::from_keytab(kdc->file("alice.keytab"), "alice");
  if (wanted == "delegated") {
    gssapi::ConnectOptions options = to_service("gsstest", {});
    options.delegate = true;
    credentials = shake(options).delegated;
    BOOST_TEST_REQUIRE(static_cast<bool>(credentials));
  }
  gssapi::ConnectOptions known = to_service("gsstest", credentials);
  gssapi::ConnectOptions unknown = to_service("other", credentials);
  known.mechanism = unknown.mechanism = mechanism;
  BOOST_TEST(shake(known).name == "alice@TSOCK.TEST");
  const Kdc::Pause pause(*kdc);
  Client stuck = begin(unknown);
  check_loop_runs();
  for (unsigned i = 0; i < 3; ++i) BOOST_TEST(shake(known).name == "alice@TSOCK.TEST");
  BOOST_TEST(stuck.request.is_in_progress());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
