#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <tsock/sasl/sasl.hpp>
#include <vector>

#include "support/sasl_fixture.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;

bool offers(const sasl::ServerSession& server, std::string_view name) {
  const std::vector<std::string> names = server.mechanisms();
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sasl_session)

BOOST_AUTO_TEST_CASE(digest_md5_agrees_on_a_security_layer) {
  const SaslPair pair = authenticated(sasl_client_options("DIGEST-MD5"), sasl_server_options());
  for (const sasl::Peer& peer : {pair.client.peer(), pair.server.peer()}) {
    BOOST_TEST(peer.mechanism == "DIGEST-MD5");
    BOOST_TEST(peer.user == "alice");
    BOOST_TEST(peer.authentication_name == "alice");
    BOOST_TEST(peer.strength == 128U);
    BOOST_TEST(peer.most_plain > 65000U);
    BOOST_TEST(peer.most_plain < 65536U);
  }
  BOOST_TEST(pair.server.reason().empty());
}

BOOST_DATA_TEST_CASE(mechanisms_with_passwords_authenticate,
                     data::make({"SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512", "CRAM-MD5"}), mechanism) {
  const SaslPair pair = authenticated(sasl_client_options(mechanism), sasl_server_options());
  BOOST_TEST(pair.client.peer().mechanism == mechanism);
  BOOST_TEST(pair.server.peer().mechanism == mechanism);
  BOOST_TEST(pair.server.peer().user == "alice");
  BOOST_TEST(pair.server.peer().strength == 0U);
  BOOST_TEST(pair.server.peer().most_plain == 0U);
}

BOOST_AUTO_TEST_CASE(the_best_mechanism_of_both_sides_is_chosen) {
  sasl::ServerOptions server = sasl_server_options();
  server.mechanisms = {"CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-256"};
  sasl::ClientOptions client = sasl_client_options();
  BOOST_TEST(authenticated(client, server).client.peer().mechanism == "SCRAM-SHA-256");
  client.security.lowest_strength = 1;
  BOOST_TEST(authenticated(client, server).client.peer().mechanism == "DIGEST-MD5");
  client.security.lowest_strength = 0;
  client.mechanisms = {"CRAM-MD5"};
  BOOST_TEST(authenticated(client, server).client.peer().mechanism == "CRAM-MD5");
}

BOOST_AUTO_TEST_CASE(a_success_that_cannot_carry_bytes_takes_one_more_turn) {
  sasl::ClientOptions client = sasl_client_options("SCRAM-SHA-256");
  sasl::ServerOptions server = sasl_server_options();
  const unsigned usual = authenticated(client, server).legs;
  client.security.success_carries_bytes = false;
  server.security.success_carries_bytes = false;
  BOOST_TEST(authenticated(client, server).legs == usual + 1);
}

// ---- who is refused ----

BOOST_DATA_TEST_CASE(a_wrong_password_is_refused_in_words,
                     data::make({"DIGEST-MD5", "SCRAM-SHA-256", "CRAM-MD5"}), mechanism) {
  const SaslPair pair = shaken(sasl_client_options(mechanism, "wrong secret"), sasl_server_options());
  BOOST_TEST(pair.server_error == EACCES);
  BOOST_TEST(!pair.server.is_done());
  BOOST_TEST(!pair.server.reason().empty());
  BOOST_TEST(pair.server.reason().find("secret") == std::string::npos);
  BOOST_TEST(pair.server.reason().find("alicepw") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_unknown_user_is_refused) {
  sasl::ClientOptions client = sasl_client_options("SCRAM-SHA-256");
  client.user = [] { return std::string("mallory"); };
  const SaslPair pair = shaken(client, sasl_server_options());
  BOOST_TEST(pair.server_error == EACCES);
  BOOST_TEST(!pair.are_done());
}

BOOST_AUTO_TEST_CASE(a_server_without_passwords_refuses_all) {
  sasl::ServerOptions server = sasl_server_options();
  server.password_of = nullptr;
  BOOST_TEST(shaken(sasl_client_options("DIGEST-MD5"), server).server_error == EACCES);
}

BOOST_AUTO_TEST_CASE(a_client_refuses_a_server_that_does_not_know_the_password) {
  sasl::ClientSession client = sasl_client(sasl_client_options("SCRAM-SHA-256"));
  sasl::ServerSession server = sasl_server(sasl_server_options());
  int err = -1;
  sasl::Reply reply = client.start("SCRAM-SHA-256", err);
  BOOST_TEST_REQUIRE(err == 0);
  sasl::Reply answer = server.start("SCRAM-SHA-256", ByteView(*reply.bytes), err);
  BOOST_TEST_REQUIRE(err == 0);
  reply = client.step(*answer.bytes, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST(!client.is_done());
  answer = client.step("v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", err);
  BOOST_TEST((err == EACCES || err == EPROTO));
  BOOST_TEST(!client.is_done());
  BOOST_TEST(!client.reason().empty());
}

BOOST_AUTO_TEST_CASE(nobody_may_act_as_another_user_unless_the_server_says_so) {
  sasl::ClientOptions client = sasl_client_options("DIGEST-MD5");
  client.authorization_name = [] { return std::string("bob"); };
  sasl::ServerOptions server = sasl_server_options();
  BOOST_TEST(shaken(client, server).server_error == EACCES);
  server.may_act_as = [](std::string_view, std::string_view) { return false; };
  BOOST_TEST(shaken(client, server).server_error == EACCES);
  server.may_act_as = [](std::string_view user, std::string_view name) {
    return user == "alice" && name == "bob";
  };
  const SaslPair pair = authenticated(client, server);
  BOOST_TEST(pair.server.peer().user == "bob");
  BOOST_TEST(pair.server.peer().authentication_name == "alice");
}

// ---- plain text, nobody, somebody else's word ----

BOOST_AUTO_TEST_CASE(plain_text_is_neither_offered_nor_chosen) {
  const sasl::ServerSession server = sasl_server(sasl_server_options());
  BOOST_TEST(!offers(server, "PLAIN"));
  BOOST_TEST(!offers(server, "LOGIN"));
  BOOST_TEST(!offers(server, "ANONYMOUS"));
  BOOST_TEST(offers(server, "SCRAM-SHA-256"));
  sasl::ClientSession client = sasl_client(sasl_client_options());
  int err = 0;
  static_cast<void>(client.start("PLAIN LOGIN ANONYMOUS", err));
  BOOST_TEST(err == ENOTSUP);
  BOOST_TEST(client.reason() == "none of the server's mechanisms is possible and allowed");
}

BOOST_AUTO_TEST_CASE(a_client_that_chooses_what_is_not_offered_is_refused) {
  sasl::ServerSession server = sasl_server(sasl_server_options());
  int err = 0;
  static_cast<void>(server.start("PLAIN", ByteView(std::string_view("\0alice\0alicepw", 14)), err));
  BOOST_TEST(err == ENOTSUP);
  BOOST_TEST(server.reason() == "the client has chosen a mechanism that is not offered");
  BOOST_TEST(!server.is_done());
}

BOOST_AUTO_TEST_CASE(plain_text_that_is_allowed_by_name_authenticates) {
  sasl::ClientOptions client = sasl_client_options();
  sasl::ServerOptions server = sasl_server_options();
  client.security.allow_by_name = {"plain"};
  server.security.allow_by_name = {"PLAIN"};
  server.mechanisms = {"PLAIN", "LOGIN"};
  const sasl::ServerSession offering = sasl_server(server);
  BOOST_TEST(joined(offering.mechanisms()) == "PLAIN");
  BOOST_TEST(authenticated(client, server).client.peer().mechanism == "PLAIN");
  client = sasl_client_options("PLAIN", "wrong");
  client.security.allow_by_name = {"PLAIN"};
  BOOST_TEST(shaken(client, server).server_error == EACCES);
}

BOOST_AUTO_TEST_CASE(plain_text_is_allowed_in_a_protected_stream) {
  sasl::ClientOptions client = sasl_client_options("PLAIN");
  sasl::ServerOptions server = sasl_server_options();
  client.security.external_strength = 256;
  server.security.external_strength = 256;
  BOOST_TEST(authenticated(client, server).server.peer().user == "alice");
  // One that is not changed on its way may still be read.
  client.security.external_strength = 1;
  server.security.external_strength = 1;
  BOOST_TEST(!offers(sasl_server(server), "PLAIN"));
  int err = 0;
  static_cast<void>(sasl_client(client).start("PLAIN", err));
  BOOST_TEST(err == ENOTSUP);
}

BOOST_AUTO_TEST_CASE(a_function_of_the_server_checks_plain_passwords) {
  sasl::ClientOptions client = sasl_client_options("PLAIN", "from elsewhere");
  sasl::ServerOptions server{.service = "tsock", .host = "localhost"};
  client.security.allow_by_name = {"PLAIN"};
  server.security.allow_by_name = {"PLAIN"};
  server.check_password = [](std::string_view user, std::string_view password) {
    return user == "alice" && password == "from elsewhere";
  };
  BOOST_TEST(authenticated(client, server).server.peer().user == "alice");
  client.password = [] { return std::string("else"); };
  BOOST_TEST(shaken(client, server).server_error == EACCES);
}

BOOST_AUTO_TEST_CASE(anonymous_clients_come_in_where_they_are_allowed) {
  sasl::ClientOptions client{.service = "tsock", .host = "localhost"};
  client.security.allow_by_name = {"ANONYMOUS"};
  client.user = [] { return std::string("guest"); };
  sasl::ServerOptions server = sasl_server_options();
  server.mechanisms = {"ANONYMOUS"};
  server.security.allow_by_name = {"ANONYMOUS"};
  const SaslPair pair = authenticated(client, server);
  BOOST_TEST(pair.server.peer().mechanism == "ANONYMOUS");
  BOOST_TEST(pair.server.peer().user == "anonymous");
  server.security.allow_by_name = {};
  BOOST_TEST(shaken(client, server).client_error == ENOTSUP);
}

BOOST_AUTO_TEST_CASE(external_takes_the_name_of_the_stream_below) {
  sasl::ClientOptions client{.service = "tsock", .host = "localhost"};
  client.security.external_strength = 256;
  client.security.external_name = "CN=client";
  sasl::ServerOptions server = sasl_server_options();
  server.security.external_strength = 256;
  server.security.external_name = "CN=client";
  server.mechanisms = {"EXTERNAL"};
  BOOST_TEST(authenticated(client, server).server.peer().user == "CN=client");
  server.security.external_name = "";
  BOOST_TEST(!offers(sasl_server(server), "EXTERNAL"));
}

// ---- turns and threads ----

BOOST_AUTO_TEST_CASE(steps_out_of_turn_are_einval) {
  sasl::ClientSession client = sasl_client(sasl_client_options("DIGEST-MD5"));
  int err = 0;
  static_cast<void>(client.step("x", err));
  BOOST_TEST(err == EINVAL);
  BOOST_TEST(client.reason() == "the session has not started");
  const sasl::Reply reply = client.start("DIGEST-MD5", err);
  BOOST_TEST(err == 0);
  BOOST_TEST(!reply.bytes.has_value());
  static_cast<void>(client.start("DIGEST-MD5", err));
  BOOST_TEST(err == EINVAL);
  BOOST_TEST(client.reason() == "the session has started already");
  SaslPair pair = authenticated(sasl_client_options("DIGEST-MD5"), sasl_server_options());
  static_cast<void>(pair.server.step("x", err));
  BOOST_TEST(err == EINVAL);
  BOOST_TEST(pair.server.reason() == "the session is done");
  BOOST_TEST(pair.server.is_done());
}

BOOST_AUTO_TEST_CASE(an_empty_session_is_einval) {
  sasl::ClientSession client;
  sasl::ServerSession server;
  int err = 0;
  static_cast<void>(client.start("PLAIN", err));
  BOOST_TEST(err == EINVAL);
  static_cast<void>(server.step("", err));
  BOOST_TEST(err == EINVAL);
  BOOST_TEST(server.mechanisms().empty());
  BOOST_TEST(!client.is_done());
  BOOST_TEST(!client);
}

BOOST_DATA_TEST_CASE(what_is_no_message_of_the_mechanism_is_refused,
                     data::make({"DIGEST-MD5", "SCRAM-SHA-256", "CRAM-MD5"}), mechanism) {
  for (const std::string_view text : {"", "\0\0\0\0", "nonsense", "=,=,=", "n,,n=,r=", "\xff\xff\xff"}) {
    sasl::ServerSession server = sasl_server(sasl_server_options());
    int err = 0;
    sasl::Reply reply = server.start(mechanism, std::nullopt, err);
    for (int turn = 0; turn < 3 && err == 0; ++turn) reply = server.step(text, err);
    BOOST_TEST((err == EACCES || err == EPROTO || err == EINVAL), err);
    BOOST_TEST(!server.is_done());
    BOOST_TEST(!reply.bytes.has_value());
  }
}

BOOST_AUTO_TEST_CASE(an_exception_of_a_function_fails_the_step) {
  sasl::ClientOptions client = sasl_client_options("DIGEST-MD5");
  client.password = []() -> std::string { throw std::runtime_error("no terminal"); };
  BOOST_TEST(shaken(client, sasl_server_options()).client_error == EACCES);
  client.password = []() -> std::string { throw std::bad_alloc(); };
  BOOST_TEST(shaken(client, sasl_server_options()).client_error == ENOMEM);
  sasl::ServerOptions server = sasl_server_options();
  server.password_of = [](std::string_view) -> std::optional<std::string> { throw std::runtime_error(""); };
  BOOST_TEST(shaken(sasl_client_options("DIGEST-MD5"), server).server_error == EACCES);
}

BOOST_AUTO_TEST_CASE(a_password_that_changes_counts_at_once) {
  std::string password = "alicepw";
  sasl::ServerOptions server = sasl_server_options();
  server.password_of = [&](std::string_view) { return std::optional(password); };
  BOOST_TEST(authenticated(sasl_client_options("DIGEST-MD5"), server).are_done());
  password = "changed";
  BOOST_TEST(shaken(sasl_client_options("DIGEST-MD5"), server).server_error == EACCES);
}

BOOST_AUTO_TEST_CASE(sessions_of_many_threads_do_not_disturb_each_other) {
  constexpr unsigned threads = 4;
  constexpr unsigned rounds = 25;
  std::vector<unsigned> done(threads);
  {
    std::vector<std::jthread> workers;
    for (unsigned index = 0; index < threads; ++index) {
      workers.emplace_back([&count = done[index], index] {
        const std::string user = "user" + std::to_string(index);
        for (unsigned round = 0; round < rounds; ++round) {
          sasl::ClientOptions client =
              sasl_client_options(round % 2 == 0 ? "DIGEST-MD5" : "SCRAM-SHA-256", user);
          client.user = [user] { return user; };
          sasl::ServerOptions server = sasl_server_options();
          server.password_of = [](std::string_view name) { return std::optional(std::string(name)); };
          int err = 0;
          std::string reason;
          SaslPair pair;
          pair.client = sasl::ClientSession::create(client, err, reason);
          pair.server = sasl::ServerSession::create(server, err, reason);
          shake(pair);
          if (pair.are_done() && pair.server.peer().user == user) ++count;
        }
      });
    }
  }
  for (const unsigned count : done) BOOST_TEST(count == rounds);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
