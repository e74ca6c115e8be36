// GSSAPI over SSPI. What needs a KDC runs under Wine, which has Kerberos from the system below:
// test/windows/with_kdc starts one.
#ifdef TSOCK_WITH_GSSAPI
#include "support/sspi_of_wine.hpp"
//
#include <array>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>
#include <tsock/gssapi/gssapi.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "gssapi/sspi/status.hpp"
#include "support/loop_fixture.hpp"
#include "support/security_contexts.hpp"

// The library calls it by this pointer, which is that of the import library otherwise.
extern "C" {
extern PSecurityFunctionTableW(WINAPI* const __imp_InitSecurityInterfaceW)();  // NOLINT
PSecurityFunctionTableW(WINAPI* const __imp_InitSecurityInterfaceW)() = tsock::test::SspiOfWine::table;
}

namespace tsock::test {

namespace data = boost::unit_test::data;

namespace {

using gssapi::Credentials;
using gssapi::Protection;
using gssapi::SecurityContext;

constexpr std::string_view sspi_mechanisms[] = {"kerberos", "spnego"};
constexpr Protection sspi_protections[] = {Protection::integrity, Protection::confidentiality};

gssapi::ConnectOptions to_sspi_service() { return {.target = "gsstest@localhost"}; }

bool has_part(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

struct SspiFixture : LoopFixture {
  static bool lacks_kdc() {
    if (std::getenv("TSOCK_TEST_KDC") != nullptr) return false;
    BOOST_TEST_MESSAGE("skipped: there is no KDC (test/windows/with_kdc starts one of MIT krb5, for Wine)");
    return true;
  }
  std::pair<Stream, Stream> both(const gssapi::ConnectOptions& client, const gssapi::AcceptOptions& server) {
    auto pair = tcp_pair();
    Request<Stream> left = gssapi::connect(std::move(pair.first), client);
    Request<Stream> right = gssapi::accept(std::move(pair.second), server);
    int err = 0;
    pair.first = fetch(left, err);
    BOOST_TEST_REQUIRE(err == 0, left.reason());
    pair.second = fetch(right, err);
    BOOST_TEST_REQUIRE(err == 0, right.reason());
    return pair;
  }
  /// What a client is told that nobody can let in, without a word to the server.
  std::pair<int, std::string> refused(const gssapi::ConnectOptions& options) {
    auto pair = tcp_pair();
    Request<Stream> connecting = gssapi::connect(std::move(pair.first), options);
    const int err = error_of(connecting);
    return {err, std::string(connecting.reason())};
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(windows_gssapi, SspiFixture)

BOOST_DATA_TEST_CASE_F(SspiFixture, both_sides_exchange_bytes_whatever_protects_them,
                       data::make(sspi_mechanisms) * data::make({0U, 1U}), mechanism, level) {
  if (lacks_kdc()) return;
  gssapi::ConnectOptions options = to_sspi_service();
  options.mechanism = mechanism;
  options.protection = sspi_protections[level];
  auto [client, server] = both(options, {.protection = sspi_protections[level]});
  BOOST_TEST((send_through(client, server, pattern(300'000)) == pattern(300'000)));
  BOOST_TEST((send_through(server, client, pattern(300'000, 1)) == pattern(300'000, 1)));
  int err = -1;
  const gssapi::Peer seen = gssapi::peer(server, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(seen.mechanism == "kerberos");
  BOOST_TEST(seen.is_mutual);
  BOOST_TEST(!seen.is_anonymous);
  BOOST_TEST(seen.is_sealed == (level == 1));
  BOOST_TEST(!seen.delegated);
  const gssapi::Peer found = gssapi::peer(client, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(has_part(found.name, "gsstest/localhost"));
  BOOST_TEST(found.is_mutual);
}

BOOST_AUTO_TEST_CASE(a_server_need_not_prove_who_it_is) {
  if (lacks_kdc()) return;
  gssapi::ConnectOptions options = to_sspi_service();
  options.mutual = false;
  auto [client, server] = both(options, {});
  BOOST_TEST((send_through(client, server, pattern(1000)) == pattern(1000)));
  int err = -1;
  BOOST_TEST(!gssapi::peer(client, err).is_mutual);
  BOOST_TEST(!gssapi::peer(server, err).is_mutual);
}

BOOST_AUTO_TEST_CASE(a_principal_is_a_target_too) {
  if (lacks_kdc()) return;
  auto [client, server] = both({.target = "gsstest/localhost@TSOCK.TEST"}, {});
  BOOST_TEST((send_through(client, server, pattern(1000)) == pattern(1000)));
}

BOOST_AUTO_TEST_CASE(a_message_holds_what_was_put_into_it_without_a_stream) {
  if (lacks_kdc()) return;
  for (const Protection protection : sspi_protections) {
    auto [client, server] = security_contexts(to_sspi_service());
    for (const std::string_view text : {"one", "a second message", "3"}) {
      std::vector<std::byte> message;
      BOOST_TEST(client.wrap(text, protection, message) == 0);
      std::vector<std::byte> plain;
      Protection found{};
      BOOST_TEST(server.unwrap(message, plain, found) == 0, server.reason());
      BOOST_TEST(text_of(plain) == text);
      BOOST_TEST((found == protection));
    }
  }
}

// RFC 4121 4.2.6.2: what a peer with GSSAPI looks for.
BOOST_AUTO_TEST_CASE(a_message_is_one_of_gssapi) {
  if (lacks_kdc()) return;
  auto [client, server] = security_contexts(to_sspi_service());
  for (const Protection protection : sspi_protections) {
    std::vector<std::byte> message;
    BOOST_TEST(client.wrap("readable", protection, message) == 0);
    BOOST_TEST_REQUIRE(message.size() > 16U);
    BOOST_TEST((message[0] == std::byte{5} && message[1] == std::byte{4}));
    const bool is_sealed = protection == Protection::confidentiality;
    BOOST_TEST(((message[2] & std::byte{2}) != std::byte{0}) == is_sealed);
    BOOST_TEST(has_part(text_of(message), "readable") == !is_sealed);
  }
}

BOOST_AUTO_TEST_CASE(a_flipped_bit_in_any_byte_of_a_message_is_refused_in_words) {
  if (lacks_kdc()) return;
  auto [client, server] = security_contexts(to_sspi_service());
  for (const Protection protection : sspi_protections) {
    std::vector<std::byte> good;
    BOOST_TEST(client.wrap("a message", protection, good) == 0);
    std::vector<std::byte> plain;
    Protection found{};
    for (std::size_t place = 0; place < good.size(); ++place) {
      std::vector<std::byte> bad = good;
      bad[place] ^= std::byte{1} << (place % 8);
      BOOST_TEST(server.unwrap(bad, plain, found) == EBADMSG);
      BOOST_TEST(has_part(server.reason(), "a message was "), server.reason());
    }
    BOOST_TEST(plain.empty());
    BOOST_TEST(server.unwrap(good, plain, found) == 0);
    BOOST_TEST(text_of(plain) == "a message");
  }
}

BOOST_AUTO_TEST_CASE(a_message_that_is_cut_at_any_byte_is_refused) {
  if (lacks_kdc()) return;
  auto [client, server] = security_contexts(to_sspi_service());
  std::vector<std::byte> good;
  BOOST_TEST(client.wrap("a message", Protection::confidentiality, good) == 0);
  std::vector<std::byte> plain;
  Protection found{};
  for (std::size_t size = 0; size < good.size(); ++size) {
    std::vector<std::byte> cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    BOOST_TEST(server.unwrap(cut, plain, found) == EBADMSG);
  }
  BOOST_TEST(plain.empty());
}

BOOST_AUTO_TEST_CASE(a_message_that_is_repeated_or_missing_is_refused) {
  if (lacks_kdc()) return;
  for (const bool repeats : {true, false}) {
    auto [client, server] = security_contexts(to_sspi_service());
    std::array<std::vector<std::byte>, 3> messages;
    for (auto& message : messages) BOOST_TEST(client.wrap("text", Protection::confidentiality, message) == 0);
    std::vector<std::byte> plain;
    Protection found{};
    std::vector<std::byte> first = messages[0];
    BOOST_TEST(server.unwrap(first, plain, found) == 0);
    BOOST_TEST(server.unwrap(messages[repeats ? 0 : 2], plain, found) == EBADMSG);
    BOOST_TEST(!server.reason().empty());
  }
}

BOOST_AUTO_TEST_CASE(a_changed_message_ends_a_stream) {
  if (lacks_kdc()) return;
  auto pair = tcp_pair();
  Request<Stream> accepting = gssapi::accept(std::move(pair.second));
  SecurityContext client = SecurityContext::client(to_sspi_service());
  std::vector<std::byte> token;
  int err = EAGAIN;
  while (err == EAGAIN) {
    std::vector<std::byte> answer;
    bool answers = false;
    err = client.step(token, answer, answers);
    if (answers) {
      const std::array<std::byte, 4> length{std::byte{0}, std::byte{0},
                                            static_cast<std::byte>(answer.size() >> 8U),
                                            static_cast<std::byte>(answer.size() & 0xffU)};
      answer.insert(answer.begin(), length.begin(), length.end());
      BOOST_TEST(error_of(pair.first.write(answer)) == 0);
    }
    if (err != EAGAIN) break;
    Request<Pdu> reading = pair.first.readv_pdu(framing::u32be{});
    int read_err = -1;
    const Pdu pdu = fetch(reading, read_err);
    BOOST_TEST_REQUIRE(read_err == 0);
    token = pdu.copy_body();
  }
  BOOST_TEST_REQUIRE(err == 0, client.reason());
  Stream server = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0, accepting.reason());
  std::vector<std::byte> message(4);
  BOOST_TEST(client.wrap("text", Protection::confidentiality, message) == 0);
  message[3] = static_cast<std::byte>(message.size() - 4);
  message.back() ^= std::byte{1};
  BOOST_TEST(error_of(pair.first.write(message)) == 0);
  std::vector<std::byte> buffer(4);
  Request<ssize_t> reading = server.read(buffer);
  BOOST_TEST(error_of(reading) == EBADMSG);
  BOOST_TEST(has_part(reading.reason(), "a message was changed"), reading.reason());
}

BOOST_AUTO_TEST_CASE(a_signature_fits_its_message_alone) {
  if (lacks_kdc()) return;
  auto [client, server] = security_contexts(to_sspi_service());
  std::vector<std::byte> signature;
  BOOST_TEST(client.sign("a message", signature) == 0);
  BOOST_TEST(!signature.empty());
  BOOST_TEST(server.verify("another one", signature) == EBADMSG);
  BOOST_TEST(has_part(server.reason(), "a signature does not fit"), server.reason());
  BOOST_TEST(server.verify("a message", signature) == 0);
}

BOOST_AUTO_TEST_CASE(a_message_of_the_limit_is_within_it) {
  if (lacks_kdc()) return;
  auto [client, server] = security_contexts(to_sspi_service());
  for (const Protection protection : sspi_protections) {
    for (const std::size_t most : {100U, 1000U, 65536U}) {
      const std::size_t limit = client.wrap_size_limit(most, protection);
      BOOST_TEST_REQUIRE(limit != 0U);
      std::vector<std::byte> message;
      BOOST_TEST(client.wrap(pattern(limit), protection, message) == 0);
      BOOST_TEST(message.size() <= most);
    }
    BOOST_TEST(client.wrap_size_limit(10, protection) == 0U);
  }
}

BOOST_DATA_TEST_CASE_F(SspiFixture, an_unknown_service_is_refused_in_words, data::make(sspi_mechanisms),
                       mechanism) {
  if (lacks_kdc()) return;
  const auto [err, reason] = refused({.target = "absent@localhost", .mechanism = std::string(mechanism)});
  BOOST_TEST(err == EACCES);
  BOOST_TEST(has_part(reason, " (0x8009"), reason);
}

// With Kerberos alone: Wine's Negotiate takes no password.
BOOST_AUTO_TEST_CASE(a_password_gets_a_ticket_and_a_wrong_one_is_refused_in_words) {
  if (lacks_kdc()) return;
  gssapi::ConnectOptions options = to_sspi_service();
  options.credentials = Credentials::with_password("alice@TSOCK.TEST", "alicepw");
  auto [client, server] = both(options, {.mechanism = "kerberos"});
  BOOST_TEST((send_through(client, server, pattern(1000)) == pattern(1000)));
  options.credentials = Credentials::with_password("alice@TSOCK.TEST", "wrong");
  const auto [err, reason] = refused(options);
  BOOST_TEST(err == EACCES);
  BOOST_TEST(has_part(reason, "SSPI has failed (0xc0000001)"), reason);
}

BOOST_AUTO_TEST_CASE(a_server_without_the_key_refuses_in_words) {
  if (lacks_kdc()) return;
  SecurityContext client = SecurityContext::client({.target = "other@localhost"});
  SecurityContext server = SecurityContext::server({.mechanism = "kerberos"});
  std::vector<std::byte> token;
  bool answers = false;
  BOOST_TEST_REQUIRE(client.step({}, token, answers) == EAGAIN);
  BOOST_TEST(server.step(token, token, answers) == EACCES);
  BOOST_TEST(has_part(server.reason(), " (0x8009"), server.reason());
  BOOST_TEST(server.step(token, token, answers) == EINVAL);
}

BOOST_AUTO_TEST_CASE(what_is_no_token_is_refused_in_words) {
  if (lacks_kdc()) return;
  SecurityContext server = SecurityContext::server({.mechanism = "kerberos"});
  std::vector<std::byte> answer;
  bool answers = true;
  BOOST_TEST(server.step(bytes_of("no token"), answer, answers) > 0);
  BOOST_TEST(!answers);
  BOOST_TEST(has_part(server.reason(), " (0x8009"), server.reason());
}

BOOST_AUTO_TEST_CASE(an_empty_token_is_eproto) {
  if (lacks_kdc()) return;
  SecurityContext server = SecurityContext::server();
  std::vector<std::byte> answer;
  bool answers = true;
  BOOST_TEST(server.step({}, answer, answers) == EPROTO);
  BOOST_TEST(server.reason() == "a token of the peer is empty");
}

BOOST_AUTO_TEST_CASE(caches_and_keytabs_are_enotsup_in_words) {
  for (const Credentials& credentials :
       {Credentials::from_ccache("FILE:C:/cc"), Credentials::from_keytab("FILE:C:/keytab")}) {
    const auto [err, reason] = refused({.target = "gsstest@localhost", .credentials = credentials});
    BOOST_TEST(err == ENOTSUP);
    BOOST_TEST(has_part(reason, "no caches and keytabs"), reason);
  }
  std::string reason;
  BOOST_TEST(Credentials::with_password("alice", "secret").store("FILE:C:/cc", reason) == ENOTSUP);
  BOOST_TEST(has_part(reason, "no caches and keytabs"), reason);
}

BOOST_AUTO_TEST_CASE(a_target_a_mechanism_or_a_user_that_is_none_is_einval) {
  BOOST_TEST(refused({}).first == EINVAL);
  BOOST_TEST(refused({.target = "gsstest@\xff"}).first == EINVAL);
  BOOST_TEST(
      refused({.target = "gsstest@localhost", .credentials = Credentials::with_password("", "x")}).first ==
      EINVAL);
  for (const char* const mechanism : {"", "nonsense", "1.2.3.4"}) {
    const auto [err, reason] = refused({.target = "gsstest@localhost", .mechanism = mechanism});
    BOOST_TEST(err == EINVAL);
    BOOST_TEST(has_part(reason, "is no mechanism of SSPI"), reason);
  }
}

BOOST_AUTO_TEST_CASE(a_status_of_sspi_has_the_errno_of_gssapi_and_its_number) {
  BOOST_TEST(gssapi::handshake_errno(SEC_E_NO_AUTHENTICATING_AUTHORITY) == EHOSTUNREACH);
  BOOST_TEST(gssapi::handshake_errno(SEC_E_CONTEXT_EXPIRED) == ETIME);
  BOOST_TEST(gssapi::handshake_errno(SEC_E_LOGON_DENIED) == EACCES);
  BOOST_TEST(gssapi::handshake_errno(SEC_E_INVALID_TOKEN) == EPROTO);
  BOOST_TEST(gssapi::handshake_errno(SEC_E_CERT_EXPIRED) == EACCES);
  BOOST_TEST(gssapi::status_text(SEC_E_LOGON_DENIED) == "the logon is denied (0x8009030c)");
  BOOST_TEST(gssapi::status_text(SEC_E_CERT_EXPIRED) == "SSPI has failed (0x80090328)");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
#endif
