#include <sasl/sasl.h>

#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <tsock/sasl/sasl.hpp>
#include <vector>

#include "support/sasl_fixture.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;

int error_of_options(const sasl::SecurityOptions& security, std::string& reason) {
  sasl::ClientOptions options = sasl_client_options();
  options.security = security;
  int err = -1;
  BOOST_TEST(!sasl::ClientSession::create(options, err, reason));
  return err;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sasl_options)

// ---- strength ----

BOOST_AUTO_TEST_CASE(options_that_make_no_sense_are_einval) {
  std::string reason;
  BOOST_TEST(error_of_options({.longest_message = 0x1000000}, reason) == EINVAL);
  BOOST_TEST(reason == "the longest message is more than 0xffffff bytes");
  BOOST_TEST(error_of_options({.lowest_strength = 2, .highest_strength = 1}, reason) == EINVAL);
  BOOST_TEST(reason == "the lowest strength is above the highest one");
}

BOOST_AUTO_TEST_CASE(a_mechanism_that_is_too_weak_is_not_chosen) {
  sasl::ClientOptions client = sasl_client_options("SCRAM-SHA-256");
  client.security.lowest_strength = 1;
  BOOST_TEST(shaken(client, sasl_server_options()).client_error == ENOTSUP);
  client = sasl_client_options("DIGEST-MD5");
  client.security.lowest_strength = 129;
  BOOST_TEST(shaken(client, sasl_server_options()).client_error == ENOTSUP);
}

BOOST_AUTO_TEST_CASE(sides_whose_strengths_do_not_meet_do_not_authenticate) {
  sasl::ClientOptions client = sasl_client_options("DIGEST-MD5");
  client.security.lowest_strength = 128;
  sasl::ServerOptions server = sasl_server_options();
  server.security.highest_strength = 1;
  const SaslPair pair = shaken(client, server);
  BOOST_TEST(pair.client_error == EACCES);
  BOOST_TEST(!pair.client.reason().empty());
  BOOST_TEST(!pair.are_done());
}

BOOST_DATA_TEST_CASE(the_highest_strength_bounds_the_layer, data::make({0U, 1U, 56U, 128U}), highest) {
  sasl::ClientOptions client = sasl_client_options("DIGEST-MD5");
  client.security.highest_strength = highest;
  const SaslPair pair = authenticated(client, sasl_server_options());
  BOOST_TEST(pair.client.peer().strength <= highest);
  BOOST_TEST((highest == 56 || pair.client.peer().strength == highest));
  BOOST_TEST(pair.server.peer().strength == pair.client.peer().strength);
}

BOOST_AUTO_TEST_CASE(a_protected_stream_counts_towards_the_strength) {
  sasl::ClientOptions client = sasl_client_options("SCRAM-SHA-256");
  client.security.lowest_strength = 128;
  client.security.external_strength = 256;
  BOOST_TEST(authenticated(client, sasl_server_options()).client.peer().strength == 0U);
}

BOOST_AUTO_TEST_CASE(mutual_authentication_leaves_out_mechanisms_without_it) {
  sasl::ClientOptions client = sasl_client_options("CRAM-MD5");
  client.security.mutual_authentication = true;
  BOOST_TEST(shaken(client, sasl_server_options()).client_error == ENOTSUP);
  client = sasl_client_options("DIGEST-MD5");
  client.security.mutual_authentication = true;
  BOOST_TEST(authenticated(client, sasl_server_options()).are_done());
}

// ---- sizes ----

BOOST_AUTO_TEST_CASE(each_side_says_how_long_messages_to_it_may_be) {
  sasl::ClientOptions client = sasl_client_options("DIGEST-MD5");
  sasl::ServerOptions server = sasl_server_options();
  client.security.longest_message = 1000;
  server.security.longest_message = 5000;
  const SaslPair pair = authenticated(client, server);
  BOOST_TEST(pair.client.peer().most_plain < 5000U);
  BOOST_TEST(pair.client.peer().most_plain > 4900U);
  BOOST_TEST(pair.server.peer().most_plain < 1000U);
  BOOST_TEST(pair.server.peer().most_plain > 900U);
}

BOOST_AUTO_TEST_CASE(a_side_that_takes_no_messages_has_no_layer) {
  sasl::ClientOptions client = sasl_client_options("DIGEST-MD5");
  client.security.longest_message = 0;
  BOOST_TEST(authenticated(client, sasl_server_options()).client.peer().strength == 0U);
}

// ---- names ----

BOOST_AUTO_TEST_CASE(a_client_chooses_among_the_realms_of_a_server) {
  constexpr std::string_view challenge =
      "realm=\"ONE\",realm=\"TWO\",nonce=\"abcdefghijk\",qop=\"auth,auth-int\",charset=utf-8,algorithm=md5-"
      "sess";
  const auto response = [&](const sasl::ClientOptions& options) {
    sasl::ClientSession client = sasl_client(options);
    int err = -1;
    static_cast<void>(client.start("DIGEST-MD5", err));
    const sasl::Reply reply = client.step(challenge, err);
    BOOST_TEST_REQUIRE(err == 0, client.reason());
    return text_of(reply.bytes.value());
  };
  sasl::ClientOptions client = sasl_client_options("DIGEST-MD5");
  client.host = "realms.example.com";
  BOOST_TEST(response(client).find("realm=\"ONE\"") != std::string::npos);
  std::vector<std::string> offered;
  client.realm = [&](std::span<const std::string> realms) {
    offered.assign(realms.begin(), realms.end());
    return offered.back();
  };
  BOOST_TEST(response(client).find("realm=\"TWO\"") != std::string::npos);
  BOOST_TEST(joined(offered) == "ONE TWO");
}

BOOST_AUTO_TEST_CASE(users_of_a_realm_are_known_by_it) {
  sasl::ServerOptions server = sasl_server_options();
  server.realm = "EXAMPLE.COM";
  std::string asked;
  server.password_of = [&](std::string_view user) {
    asked = user;
    return std::optional<std::string>("alicepw");
  };
  BOOST_TEST(authenticated(sasl_client_options("DIGEST-MD5"), server).are_done());
  BOOST_TEST(asked == "alice@EXAMPLE.COM");
}

BOOST_AUTO_TEST_CASE(addresses_may_be_told_of_both_families) {
  sasl::ClientOptions client = sasl_client_options("SCRAM-SHA-256");
  client.security.local_address = loopback_v4(1);
  client.security.remote_address = loopback_v6(2);
  BOOST_TEST(authenticated(client, sasl_server_options()).are_done());
}

BOOST_AUTO_TEST_CASE(a_file_of_saslpasswd2_has_the_passwords) {
  if (std::system("command -v saslpasswd2 > /dev/null") != 0) {
    BOOST_TEST_MESSAGE("skipped: saslpasswd2 is not installed");
    return;
  }
  const TempDirectory directory;
  const std::string file = directory / "sasldb";
  // Plugins of a test of another processor are not for this program.
  BOOST_TEST_REQUIRE(
      std::system(("printf alicepw | env -u SASL_PATH saslpasswd2 -p -c -f " + file + " -u localhost alice")
                      .c_str()) == 0);
  sasl::ServerOptions server{.service = "tsock", .host = "localhost", .sasldb_file = file};
  for (const char* const mechanism : {"DIGEST-MD5", "SCRAM-SHA-256"}) {
    BOOST_TEST(authenticated(sasl_client_options(mechanism), server).server.peer().user == "alice");
    BOOST_TEST(shaken(sasl_client_options(mechanism, "wrong"), server).server_error == EACCES);
  }
}

// ---- channel bindings ----

BOOST_AUTO_TEST_CASE(both_sides_need_the_same_channel_binding) {
  const auto binding = [](std::string_view bytes) {
    return sasl::ChannelBinding{.type = "tls-exporter", .bytes = bytes_of(bytes), .is_required = true};
  };
  sasl::ClientOptions client = sasl_client_options();
  client.mechanisms = {"SCRAM-SHA-256-PLUS"};
  client.security.channel_binding = binding("one stream");
  sasl::ServerOptions server = sasl_server_options();
  server.mechanisms = {"SCRAM-SHA-256-PLUS"};
  server.security.channel_binding = binding("one stream");
  BOOST_TEST(joined(sasl_server(server).mechanisms()) == "SCRAM-SHA-256-PLUS");
  const SaslPair pair = authenticated(client, server);
  BOOST_TEST(pair.client.peer().mechanism == "SCRAM-SHA-256-PLUS");
  server.security.channel_binding = binding("another one");
  const SaslPair other = shaken(client, server);
  BOOST_TEST(other.server_error == EPROTO);
  BOOST_TEST(!other.server.reason().empty());
  BOOST_TEST(!other.are_done());
}

BOOST_AUTO_TEST_CASE(a_binding_that_is_required_needs_a_peer_that_can_do_it) {
  sasl::ClientOptions client = sasl_client_options("SCRAM-SHA-256");
  client.security.channel_binding = {.type = "tls-exporter", .bytes = bytes_of("bytes"), .is_required = true};
  BOOST_TEST(shaken(client, sasl_server_options()).client_error == ENOTSUP);
  client.security.channel_binding.is_required = false;
  BOOST_TEST(authenticated(client, sasl_server_options()).are_done());
}

BOOST_AUTO_TEST_CASE(a_server_that_requires_a_binding_refuses_clients_without_one) {
  sasl::ServerOptions server = sasl_server_options();
  server.security.channel_binding = {.type = "tls-exporter", .bytes = bytes_of("bytes"), .is_required = true};
  BOOST_TEST_INFO_SCOPE("offered: " << joined(sasl_server(server).mechanisms()));
  for (const char* const mechanism : {"SCRAM-SHA-256", "DIGEST-MD5", "CRAM-MD5"}) {
    const SaslPair pair = shaken(sasl_client_options(mechanism), server);
    BOOST_TEST(!pair.are_done(), mechanism);
    BOOST_TEST((pair.client_error != 0 || pair.server_error != 0), mechanism);
  }
  server.security.channel_binding.is_required = false;
  BOOST_TEST(authenticated(sasl_client_options("SCRAM-SHA-256"), server).are_done());
}

// ---- others in the process ----

BOOST_AUTO_TEST_CASE(another_user_of_the_library_comes_and_goes) {
  SaslPair before = authenticated(sasl_client_options("DIGEST-MD5"), sasl_server_options());
  BOOST_TEST_REQUIRE(sasl_client_init(nullptr) == SASL_OK);
  BOOST_TEST_REQUIRE(sasl_server_init(nullptr, "other") == SASL_OK);
  sasl_conn_t* connection = nullptr;
  BOOST_TEST_REQUIRE(
      sasl_server_new("other", "localhost", nullptr, nullptr, nullptr, nullptr, 0, &connection) == SASL_OK);
  // Our passwords are not theirs.
  BOOST_TEST(sasl_checkpass(connection, "alice", 0, "alicepw", 0) != SASL_OK);
  sasl_dispose(&connection);
  sasl_done();
  BOOST_TEST(before.are_done());
  BOOST_TEST(authenticated(sasl_client_options("DIGEST-MD5"), sasl_server_options()).are_done());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
