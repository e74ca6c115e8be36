// What Samba's servers make of bad requests, as our server does it: each is refused with the field that is
// wrong, nothing is answered, and the next client is served.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/npa_fixture.hpp"
#include "support/npa_messages.hpp"
#include "support/system.hpp"

namespace tsock::test {

namespace {

/// A change of the minimal request.
struct BadRequest {
  const char* what;
  std::size_t at;
  std::string_view bytes;
  int err;
  std::string_view reason;
};

constexpr BadRequest bad_requests[] = {
    {"no session", 0x2c, "00000000", EPROTO, "session_info: missing"},
    {"no session inside of its transport", 0x8c, "00000000", EPROTO, "session_info: missing"},
    {"no token, which kills samba-dcerpcd", 0x94, "00000000", EPROTO, "security_token: missing"},
    {"a token of nobody", 0xc8, "0000000000000000", EPROTO, "security_token: an identity needs a SID"},
    {"a name in place of an address", 0x54, "6c6f63616c", EPROTO, "remote_client_addr: not an IP address"},
    {"another magic", 4, "4e504158", EPROTONOSUPPORT, "magic: not NPAM"},
    {"another level", 8, "0600000006000000", EPROTONOSUPPORT, "level: neither 7 nor 8"},
    {"the level in the other byte order", 8, "0000000700000007", EPROTONOSUPPORT, "level: neither 7 nor 8"},
    {"four billion SIDs", 0xc8, "ffffffffffffffff", EPROTO, "sids: more than the message holds"},
    {"a name of four billion bytes", 0x30, "ffffffff00000000ffffffff", EPROTO,
     "remote_client_name: the message ends here"},
    {"a session key of four billion bytes", 0xa8, "ffffffff", EPROTO, "session_key: the message ends here"},
    {"credentials of four billion bytes", 0x90, "ffffffff", EPROTO,
     "exported_gssapi_credentials: the message ends here"},
};

std::vector<std::byte> changed_request(const BadRequest& bad) {
  std::vector<std::byte> message = from_hex(minimal_request);
  const std::vector<std::byte> bytes = from_hex(bad.bytes);
  std::copy(bytes.begin(), bytes.end(), message.begin() + static_cast<std::ptrdiff_t>(bad.at));
  return message;
}

struct NpaBadRequestFixture : NpaFixture {
  /// Sends a request in pieces and gives the server's side.
  NpaSide served(std::span<const std::byte> request, std::size_t piece, Stream& peer) {
    auto [client, ours] = unix_pair();
    Request<Stream> accepting = npa::accept(std::move(ours));
    for (; !request.empty(); request = request.subspan(std::min(piece, request.size()))) {
      // A server that has seen enough closes in the middle.
      if (error_of(client.write(request.first(std::min(piece, request.size())))) != 0) break;
      loop.run_until_idle();
    }
    NpaSide server;
    take(accepting, server);
    peer = std::move(client);
    return server;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(npa_bad_request, NpaBadRequestFixture,
                         *boost::unit_test::precondition(more_than_posix))

BOOST_AUTO_TEST_CASE(a_bad_request_is_refused_with_its_field_and_not_answered) {
  for (const BadRequest& bad : bad_requests) {
    BOOST_TEST_CONTEXT(bad.what) {
      Stream peer;
      const NpaSide server = served(changed_request(bad), 1000, peer);
      BOOST_TEST(server.err == bad.err);
      BOOST_TEST(server.reason == bad.reason);
      BOOST_TEST(sees_end(peer));
      const NpaSide next = served(from_hex(minimal_request), 1000, peer);
      BOOST_TEST(next.err == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_request_is_the_same_in_pieces) {
  for (const std::size_t piece : {1U, 3U, 37U})
    for (const std::string_view request : {minimal_request, smbd_user_request, anonymous_request_level8}) {
      Stream peer;
      NpaSide server = served(from_hex(request), piece, peer);
      BOOST_TEST_REQUIRE(server.err == 0);
      const npa::Identity* const identity = npa::identity(server.stream);
      BOOST_TEST_REQUIRE(identity != nullptr);
      BOOST_TEST(identity->local_address == npa_address("127.0.0.1", 445));
    }
}

BOOST_AUTO_TEST_CASE(bad_requests_are_refused_alike_in_pieces) {
  for (const BadRequest& bad : bad_requests) {
    Stream peer;
    const NpaSide server = served(changed_request(bad), 7, peer);
    BOOST_TEST(server.err == bad.err);
    BOOST_TEST(server.reason == bad.reason);
  }
}

// Less than Samba's servers want for calls, and enough to know who it is.
BOOST_AUTO_TEST_CASE(a_client_that_tells_only_its_token_is_served) {
  Stream peer;
  const NpaSide server = served(from_hex(minimal_request), 1000, peer);
  BOOST_TEST_REQUIRE(server.err == 0);
  const npa::Identity* const identity = npa::identity(server.stream);
  BOOST_TEST_REQUIRE(identity != nullptr);
  BOOST_TEST(identity->is_anonymous());
  BOOST_TEST(!identity->unix_token.has_value());
  BOOST_TEST(!identity->account.has_value());
  BOOST_TEST(!identity->unix_names.has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
