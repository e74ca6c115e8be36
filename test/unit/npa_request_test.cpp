#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "npa/message.hpp"
#include "npa/request.hpp"
#include "support/npa_messages.hpp"

namespace {

using tsock::Address;
using tsock::npa::AccountInfo;
using tsock::npa::decode_request;
using tsock::npa::encode_request;
using tsock::npa::Identity;
using tsock::npa::Level;
using tsock::npa::NtTime;
using tsock::npa::SecretBytes;
using tsock::npa::Sid;
using tsock::npa::TicketType;
using tsock::npa::Transport;
using tsock::test::bytes_of;

using Bytes = std::vector<std::byte>;

struct Decoded {
  int err = 0;
  Identity identity;
  Level level{};
  std::string reason;
};

Decoded decode(std::span<const std::byte> message, std::optional<Level> only = {}) {
  Decoded result;
  std::span<const std::byte> body;
  result.err = tsock::npa::read_message_body(message, body, result.reason);
  if (result.err == 0) result.err = decode_request(body, only, result.identity, result.level, result.reason);
  return result;
}

Bytes encode(const Identity& identity, Level level) {
  SecretBytes message;
  std::string reason;
  const int err = encode_request(identity, level, message, reason);
  BOOST_TEST(err == 0);
  BOOST_TEST(reason.empty());
  return {message.bytes().begin(), message.bytes().end()};
}

std::string text(const Sid& sid) { return sid.to_string(); }

}  // namespace

BOOST_AUTO_TEST_SUITE(npa_request)

BOOST_AUTO_TEST_CASE(what_samba_reads_and_writes_is_decoded_and_encoded_to_the_same_bytes) {
  for (const std::string_view hex :
       {tsock::test::minimal_request, tsock::test::anonymous_request, tsock::test::anonymous_request_level8,
        tsock::test::smbd_anonymous_request, tsock::test::smbd_user_request}) {
    const Bytes message = bytes_of(hex);
    const Decoded decoded = decode(message);
    BOOST_TEST_CONTEXT(decoded.reason) BOOST_TEST(decoded.err == 0);
    BOOST_TEST((encode(decoded.identity, decoded.level) == message));
  }
}

BOOST_AUTO_TEST_CASE(a_user_of_smbd_is_read_field_by_field) {
  const Decoded decoded = decode(bytes_of(tsock::test::smbd_user_request));
  BOOST_TEST_REQUIRE(decoded.err == 0);
  BOOST_TEST((decoded.level == Level::level7));
  const Identity& identity = decoded.identity;
  BOOST_TEST((identity.transport == Transport::ncacn_np));
  BOOST_TEST(identity.remote_name.value() == "vm");
  BOOST_TEST(identity.remote_address.to_string() == "127.0.0.1:34014");
  BOOST_TEST(identity.local_name.value() == "vm");
  BOOST_TEST(identity.local_address.to_string() == "127.0.0.1:445");
  BOOST_TEST(identity.session_key.size() == 16);
  BOOST_TEST((identity.session_key.bytes()[0] == std::byte{0x9c}));
  BOOST_TEST(identity.exported_gssapi_credentials.empty());
  BOOST_TEST((identity.unique_session_token.bytes[0] == std::byte{0x9a}));
  BOOST_TEST((identity.ticket_type == TicketType::unknown));

  BOOST_TEST_REQUIRE(identity.token.sids.size() == 8);
  BOOST_TEST(text(identity.token.sids[0]) == "S-1-5-21-2407837315-1853087171-3515807427-1000");
  BOOST_TEST(text(identity.token.sids[1]) == "S-1-5-21-2407837315-1853087171-3515807427-513");
  BOOST_TEST(text(identity.token.sids[2]) == "S-1-22-2-1001");
  BOOST_TEST(identity.token.sids[5] == Sid::authenticated_users());
  BOOST_TEST(identity.token.sids[6] == Sid::unix_user(1001));
  BOOST_TEST(identity.token.sids[7].is_samba_note());
  BOOST_TEST(identity.token.identities().size() == 7);
  BOOST_TEST(identity.token.privileges == 0);
  BOOST_TEST(identity.token.rights == 0);

  BOOST_TEST_REQUIRE(identity.unix_token.has_value());
  BOOST_TEST(identity.unix_token->uid == 1001);
  BOOST_TEST(identity.unix_token->gid == 1001);
  BOOST_TEST((identity.unix_token->groups == std::vector<std::uint64_t>{1001}));

  BOOST_TEST_REQUIRE(identity.account.has_value());
  const AccountInfo& account = *identity.account;
  BOOST_TEST(account.account_name.value() == "scoutuser");
  BOOST_TEST(!account.user_principal_name.has_value());
  BOOST_TEST(account.domain_name.value() == "SCOUT");
  BOOST_TEST(account.full_name.value() == "");
  BOOST_TEST(account.profile_path.value() == "\\\\SCOUT\\scoutuser\\profile");
  BOOST_TEST(account.home_directory.value() == "\\\\SCOUT\\scoutuser");
  BOOST_TEST(account.logon_server.value() == "SCOUT");
  BOOST_TEST(account.last_logon.value == 0);
  BOOST_TEST((account.last_logoff == NtTime::never()));
  BOOST_TEST((account.force_password_change == NtTime::never()));
  BOOST_TEST(account.last_password_change.value == 0x01dd7a79c96d5500U);
  BOOST_TEST(account.flags == AccountInfo::normal_account);
  BOOST_TEST(account.is_authenticated);

  BOOST_TEST_REQUIRE(identity.unix_names.has_value());
  BOOST_TEST(identity.unix_names->unix_name.value() == "scoutuser");
  BOOST_TEST(identity.unix_names->sanitized_username.value() == "scoutuser");
  BOOST_TEST(identity.is_authenticated());
  BOOST_TEST(!identity.is_anonymous());
}

BOOST_AUTO_TEST_SUITE_END()
