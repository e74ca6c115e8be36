// GSSAPI streams with NTLM, from a mechanism that is not libkrb5's own.
#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/gssapi/gssapi.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/kdc.hpp"
#include "support/loop_fixture.hpp"
#include "support/process.hpp"
#include "support/sanitizer.hpp"
#include "support/scoped_environment.hpp"
#include "support/security_contexts.hpp"
#include "support/unpacked_peers.hpp"

namespace tsock::test {

namespace data = boost::unit_test::data;

namespace {

using gssapi::Credentials;
using gssapi::Protection;
using gssapi::SecurityContext;

constexpr const char* ntlm_library = "usr/lib/x86_64-linux-gnu/gssntlmssp/gssntlmssp.so";
constexpr std::string_view ntlm_mechanisms[] = {"ntlm", "1.3.6.1.4.1.311.2.2.10", "spnego"};
constexpr Protection ntlm_protections[] = {Protection::integrity, Protection::confidentiality};

gssapi::ConnectOptions to_ntlm_service(std::string_view mechanism, Protection protection) {
  return {.target = "test@localhost", .mechanism = std::string(mechanism), .protection = protection};
}

// gss-ntlmssp is a library that this program loads.
bool has_ntlm() {
#ifdef __x86_64__
  return has_unpacked_peer(ntlm_library);
#else
  BOOST_TEST_MESSAGE("skipped: " << ntlm_library << " is for another processor");
  return false;
#endif
}

struct NtlmFixture : LoopFixture {
  // gss-ntlmssp leaves names of servers and contexts of libcrypto behind.
  NtlmFixture() { ignore_leaks(); }

  bool is_there = has_ntlm();
  TemporaryFolder folder;
  ScopedEnvironment environment{
      {{"GSS_MECH_CONFIG",
        folder.write("mech", "gssntlmssp_v1 1.3.6.1.4.1.311.2.2.10 " + unpacked_peer(ntlm_library) + "\n")},
       {"NTLM_USER_FILE", folder.write("users", "TSOCK:alice:alicepw\n")}}};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(gssapi_ntlm, NtlmFixture)

BOOST_DATA_TEST_CASE_F(NtlmFixture, both_sides_know_each_other_and_exchange_bytes,
                       data::make(ntlm_mechanisms) * data::make({0U, 1U}), mechanism, level) {
  if (!is_there) return;
  auto pair = tcp_pair();
  const Protection protection = ntlm_protections[level];
  Request<Stream> connecting = gssapi::connect(std::move(pair.first), to_ntlm_service(mechanism, protection));
  Request<Stream> accepting = gssapi::accept(std::move(pair.second), {.protection = protection});
  int err = 0;
  Stream client = fetch(connecting, err);
  BOOST_TEST_REQUIRE(err == 0, connecting.reason());
  Stream server = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0, accepting.reason());
  BOOST_TEST((send_through(client, server, pattern(300'000)) == pattern(300'000)));
  BOOST_TEST((send_through(server, client, pattern(1000, 1)) == pattern(1000, 1)));
  const gssapi::Peer peer = gssapi::peer(server, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(peer.name == "TSOCK\\alice");
  BOOST_TEST(peer.mechanism == "ntlm");
  BOOST_TEST(peer.is_sealed == (level == 1));
  BOOST_TEST(gssapi::peer(client, err).mechanism == "ntlm");
}

BOOST_AUTO_TEST_CASE(a_password_is_the_clients_credential) {
  if (!is_there) return;
  for (const bool is_right : {true, false}) {
    auto pair = tcp_pair();
    gssapi::ConnectOptions options = to_ntlm_service("ntlm", Protection::confidentiality);
    options.credentials = Credentials::with_password("TSOCK\\alice", is_right ? "alicepw" : "wrong");
    Request<Stream> connecting = gssapi::connect(std::move(pair.first), options);
    Request<Stream> accepting = gssapi::accept(std::move(pair.second), {.mechanism = "ntlm"});
    BOOST_TEST(error_of(accepting) == (is_right ? 0 : EACCES), accepting.reason());
    if (!is_right) BOOST_TEST(!accepting.reason().empty());
  }
}

BOOST_AUTO_TEST_CASE(one_password_serves_each_mechanism_by_itself) {
  if (!is_there || Kdc::get() == nullptr) return;
  // A mechanism that misses its own would take the system's.
  const ScopedEnvironment no_cache("KRB5CCNAME", "FILE:" + folder.file("none"));
  const auto credentials = Credentials::with_password("alice", Kdc::alices_password);
  for (const char* const mechanism : {"ntlm", "kerberos", "ntlm"}) {
    auto pair = tcp_pair();
    Request<Stream> connecting =
        gssapi::connect(std::move(pair.first),
                        {.target = "gsstest@localhost", .mechanism = mechanism, .credentials = credentials});
    Request<Stream> accepting = gssapi::accept(std::move(pair.second), {.mechanism = mechanism});
    int err = 0;
    const Stream client = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0, connecting.reason());
    BOOST_TEST(gssapi::peer(client, err).mechanism == mechanism);
    const Stream server = fetch(accepting, err);
    BOOST_TEST_REQUIRE(err == 0, accepting.reason());
    BOOST_TEST(gssapi::peer(server, err).name.find("alice") != std::string::npos);
  }
}

BOOST_DATA_TEST_CASE_F(NtlmFixture, messages_that_are_changed_repeated_dropped_or_moved_are_seen,
                       data::make(ntlm_mechanisms) * data::make({0U, 1U}) *
                           data::make({"changed", "repeated", "dropped", "moved"}),
                       mechanism, level, fault) {
  if (!is_there) return;
  const Protection protection = ntlm_protections[level];
  for (const bool is_signature : {false, true}) {
    auto [client, server] = security_contexts(to_ntlm_service(mechanism, protection));
    constexpr std::string_view texts[]{"one", "two", "six"};
    std::vector<std::pair<std::string_view, std::vector<std::byte>>> messages;
    for (const std::string_view text : texts) {
      std::vector<std::byte> bytes;
      BOOST_TEST((is_signature ? client.sign(text, bytes) : client.wrap(text, protection, bytes)) == 0);
      messages.emplace_back(text, bytes);
    }
    const std::string_view wanted = fault;
    if (wanted == "changed") messages[1].second.back() ^= std::byte{1};
    if (wanted == "repeated") messages[1] = messages[0];
    if (wanted == "dropped") messages.erase(messages.begin() + 1);
    if (wanted == "moved") std::swap(messages[1], messages[2]);
    for (std::size_t i = 0; i < 2; ++i) {
      auto& [text, bytes] = messages[i];
      std::vector<std::byte> plain;
      Protection found{};
      const int err = is_signature ? server.verify(text, bytes) : server.unwrap(bytes, plain, found);
      BOOST_TEST(err == (i == 0 ? 0 : EBADMSG), (is_signature ? "signature " : "message ") << i);
      if (i != 0) BOOST_TEST(!server.reason().empty());
      if (i != 0) BOOST_TEST(plain.empty());
    }
  }
}

BOOST_DATA_TEST_CASE_F(NtlmFixture, a_stream_ends_with_a_repeated_message, data::make(ntlm_mechanisms),
                       mechanism) {
  if (!is_there) return;
  auto pair = tcp_pair();
  Request<Stream> accepting = gssapi::accept(std::move(pair.second));
  SecurityContext client = SecurityContext::client(to_ntlm_service(mechanism, Protection::confidentiality));
  const auto send_framed = [&](const std::vector<std::byte>& bytes) {
    const auto size = static_cast<std::uint32_t>(bytes.size());
    std::vector<std::byte> framed;
    for (unsigned shift = 32; shift != 0; shift -= 8)
      framed.push_back(static_cast<std::byte>(size >> (shift - 8)));
    framed.insert(framed.end(), bytes.begin(), bytes.end());
    BOOST_TEST(error_of(pair.first.write(framed)) == 0);
  };
  std::vector<std::byte> token;
  int err = EAGAIN;
  for (bool begins = true; err == EAGAIN; begins = false) {
    if (!begins) {
      Request<Pdu> reading = pair.first.readv_pdu(framing::u32be{});
      token = fetch(reading, err).copy_body();
      BOOST_TEST_REQUIRE(err == 0);
    }
    std::vector<std::byte> answer;
    bool answers = false;
    err = client.step(token, answer, answers);
    if (answers) send_framed(answer);
  }
  BOOST_TEST_REQUIRE(err == 0, client.reason());
  Stream server = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0, accepting.reason());
  std::vector<std::byte> message;
  BOOST_TEST(client.wrap("once", Protection::confidentiality, message) == 0);
  send_framed(message);
  send_framed(message);
  std::vector<std::byte> buffer(4);
  BOOST_TEST(error_of(server.read(buffer)) == 0);
  BOOST_TEST(text_of(buffer) == "once");
  Request<ssize_t> reading = server.read(buffer);
  BOOST_TEST(error_of(reading) == EBADMSG);
  BOOST_TEST(reading.reason().find("a message was changed or is none of this context") == 0U,
             reading.reason());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
