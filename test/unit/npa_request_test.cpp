#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "npa/message.hpp"
#include "npa/request.hpp"
#include "support/npa_messages.hpp"

namespace {

using tsock::Address;
using tsock::npa::AccountInfo;
using tsock::npa::Claims;
using tsock::npa::decode_request;
using tsock::npa::encode_request;
using tsock::npa::Identity;
using tsock::npa::Level;
using tsock::npa::NtTime;
using tsock::npa::SecretBytes;
using tsock::npa::SecurityToken;
using tsock::npa::Sid;
using tsock::npa::TicketType;
using tsock::npa::Transport;
using tsock::npa::UnixToken;
using tsock::test::from_hex;

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

constexpr std::array<std::string_view, 7> all_requests{tsock::test::minimal_request,
                                                       tsock::test::anonymous_request,
                                                       tsock::test::anonymous_request_level8,
                                                       tsock::test::smbd_anonymous_request,
                                                       tsock::test::smbd_user_request,
                                                       tsock::test::claims_request,
                                                       tsock::test::claims_and_unix_token_request};

Identity small_identity() {
  Identity identity;
  identity.token.sids = {Sid::anonymous()};
  return identity;
}

/// Something in each field that a level has.
Identity full_identity(Level level) {
  int err = 0;
  Identity identity =
      Identity::user(Sid::parse("S-1-5-21-1-2-3-1000", err), "SCOUT", "caf\xc3\xa9",
                     UnixToken{.uid = 1000, .gid = 100, .groups = {100, 27}},
                     Address::parse("192.0.2.1:5000", err), Address::parse("[2001:db8::1]:445", err));
  identity.transport = Transport::ncalrpc;
  identity.session_key = SecretBytes(from_hex("000102030405060708090a0b0c0d0e0f"));
  identity.exported_gssapi_credentials = SecretBytes(from_hex("ffeedd"));
  identity.unique_session_token.bytes.fill(std::byte{0x5a});
  identity.ticket_type = TicketType::non_tgt;
  identity.token.privileges = 0x123456789abcdef0;
  identity.token.rights = 0x87654321;
  AccountInfo& account = *identity.account;
  account.user_principal_name = "alice@example.com";
  account.is_principal_name_constructed = true;
  account.dns_domain_name = "example.com";
  account.full_name = "";
  account.logon_script = "logon.cmd";
  account.home_directory = "\\\\server\\alice";
  account.home_drive = "H:";
  account.last_logon = NtTime{1};
  account.allow_password_change = NtTime{0xFFFFFFFF00000000};
  account.logon_count = 2;
  account.bad_password_count = 3;
  account.is_authenticated = level == Level::level7;
  if (level == Level::level8) {
    account.user_flags = 0x20;
    identity.token.device_sids = {Sid::parse("S-1-5-21-1-2-3-2000", err), Sid::network()};
    identity.token.evaluate_claims = 1;
  }
  return identity;
}

/// Why an identity cannot be sent.
std::string refusal(const Identity& identity, int expected = EINVAL) {
  SecretBytes message{from_hex("00")};
  std::string reason;
  BOOST_TEST(encode_request(identity, Level::level8, message, reason) == expected);
  BOOST_TEST(message.empty());
  return reason;
}

void replace(Bytes& message, std::size_t at, std::string_view hex) {
  const Bytes bytes = from_hex(hex);
  std::copy(bytes.begin(), bytes.end(), message.begin() + static_cast<std::ptrdiff_t>(at));
}

void set_length(Bytes& message) {
  for (std::size_t i = 0; i < 4; ++i)
    message[i] = static_cast<std::byte>((message.size() - 4) >> (24 - 8 * i) & 0xFFU);
}

std::string why_refused(std::string_view request, std::size_t at, std::string_view hex) {
  Bytes message = from_hex(request);
  replace(message, at, hex);
  return decode(message).reason;
}

/// Whether a request is refused with a reason, or means something that can be sent and is understood.
bool is_read_or_refused(const Bytes& message) {
  const Decoded decoded = decode(message);
  if (decoded.err != 0) return !decoded.reason.empty();
  SecretBytes again;
  std::string reason;
  if (encode_request(decoded.identity, decoded.level, again, reason) != 0) return false;
  return decode(again.bytes()).identity == decoded.identity;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(npa_request)

BOOST_AUTO_TEST_CASE(what_samba_reads_and_writes_is_decoded_and_encoded_to_the_same_bytes) {
  for (const std::string_view hex : all_requests) {
    const Bytes message = from_hex(hex);
    const Decoded decoded = decode(message);
    BOOST_TEST_CONTEXT(decoded.reason) BOOST_TEST(decoded.err == 0);
    BOOST_TEST((encode(decoded.identity, decoded.level) == message));
  }
}

BOOST_AUTO_TEST_CASE(a_user_of_smbd_is_read_field_by_field) {
  const Decoded decoded = decode(from_hex(tsock::test::smbd_user_request));
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

BOOST_AUTO_TEST_CASE(identities_come_back_at_both_levels) {
  for (const Level level : {Level::level7, Level::level8}) {
    const Identity before = full_identity(level);
    const Decoded decoded = decode(encode(before, level), level);
    BOOST_TEST_CONTEXT(decoded.reason) BOOST_TEST_REQUIRE(decoded.err == 0);
    BOOST_TEST((decoded.level == level));
    BOOST_TEST((decoded.identity == before));
  }
}

BOOST_AUTO_TEST_CASE(fields_of_the_other_level_are_not_sent) {
  Identity identity = full_identity(Level::level8);
  Decoded decoded = decode(encode(identity, Level::level7));
  BOOST_TEST_REQUIRE(decoded.err == 0);
  BOOST_TEST(decoded.identity.token.device_sids.empty());
  BOOST_TEST(decoded.identity.token.evaluate_claims == 0);
  BOOST_TEST(decoded.identity.account->user_flags == 0);
  identity = full_identity(Level::level7);
  decoded = decode(encode(identity, Level::level8));
  BOOST_TEST_REQUIRE(decoded.err == 0);
  BOOST_TEST(!decoded.identity.account->is_authenticated);
}

BOOST_AUTO_TEST_CASE(a_missing_text_is_not_an_empty_one) {
  Identity identity = small_identity();
  Decoded decoded = decode(encode(identity, Level::level7));
  BOOST_TEST_REQUIRE(decoded.err == 0);
  BOOST_TEST(!decoded.identity.remote_name.has_value());
  BOOST_TEST(decoded.identity.remote_address.is_empty());
  identity.remote_name = "";
  identity.account = AccountInfo{};
  identity.account->home_drive = "";
  decoded = decode(encode(identity, Level::level7));
  BOOST_TEST_REQUIRE(decoded.err == 0);
  BOOST_TEST(decoded.identity.remote_name.value() == "");
  BOOST_TEST(decoded.identity.account->home_drive.value() == "");
  BOOST_TEST(!decoded.identity.account->logon_server.has_value());
}

BOOST_AUTO_TEST_CASE(addresses_are_ip_addresses_with_ports) {
  Identity identity = small_identity();
  for (const std::string_view address :
       {"192.0.2.1:0", "[2001:db8::1]:65535", "[::ffff:192.0.2.1]:1", "[::]:2"}) {
    int err = 0;
    identity.remote_address = Address::parse(address, err);
    BOOST_TEST_REQUIRE(err == 0);
    const Decoded decoded = decode(encode(identity, Level::level7));
    BOOST_TEST_REQUIRE(decoded.err == 0);
    BOOST_TEST(decoded.identity.remote_address == identity.remote_address);
  }
}

BOOST_AUTO_TEST_CASE(an_identity_that_would_kill_a_peer_cannot_be_sent) {
  BOOST_TEST(refusal(Identity{}) == "security_token: an identity needs a SID");
  Identity identity = Identity::anonymous({}, {});
  identity.token.sids.clear();
  BOOST_TEST(refusal(identity) == "security_token: an identity needs a SID");
}

BOOST_AUTO_TEST_CASE(an_identity_beyond_the_limits_cannot_be_sent) {
  Identity identity = small_identity();
  identity.token.sids.resize(65537);
  BOOST_TEST(refusal(identity) == "security_token: more than 65536 SIDs");
  identity = small_identity();
  identity.token.device_sids.resize(65537);
  BOOST_TEST(refusal(identity) == "device_sids: more than 65536 SIDs");
  identity = small_identity();
  identity.unix_token = UnixToken{.uid = 0, .gid = 0, .groups = std::vector<std::uint64_t>(65537)};
  BOOST_TEST(refusal(identity) == "unix_token: more than 65536 groups");
  identity = small_identity();
  identity.remote_name = std::string(0x01000000, 'a');
  BOOST_TEST(refusal(identity, EMSGSIZE) == "the request is longer than 16777215 bytes");
}

BOOST_AUTO_TEST_CASE(as_much_as_the_limits_allow_is_sent_and_read) {
  Identity identity = small_identity();
  identity.token.sids.resize(65536);
  identity.token.device_sids.resize(65536);
  identity.unix_token = UnixToken{.uid = 0, .gid = 0, .groups = std::vector<std::uint64_t>(65536)};
  BOOST_TEST((decode(encode(identity, Level::level8)).identity == identity));
  identity = small_identity();
  const std::size_t rest = encode(identity, Level::level7).size();
  identity.remote_name = std::string(0x00FFFFFF - rest - 32, 'a');
  const Bytes message = encode(identity, Level::level7);
  BOOST_TEST(message.size() > 0x00FFFF00U);
  BOOST_TEST((decode(message).identity == identity));
}

BOOST_AUTO_TEST_CASE(texts_that_are_none_cannot_be_sent) {
  constexpr std::string_view why = ": not UTF-8, or with a NUL inside";
  const auto refused = [&](auto&& change) {
    Identity identity = Identity::anonymous({}, {});
    change(identity);
    std::string reason = refusal(identity);
    if (reason.ends_with(why)) reason.resize(reason.size() - why.size());
    return reason;
  };
  const std::string bad("a\0b", 3);
  BOOST_TEST(refused([&](Identity& i) { i.remote_name = bad; }) == "remote_client_name");
  BOOST_TEST(refused([&](Identity& i) { i.local_name = "\xff"; }) == "local_server_name");
  BOOST_TEST(refused([&](Identity& i) { i.account->account_name = bad; }) == "account_name");
  BOOST_TEST(refused([&](Identity& i) { i.account->logon_server = bad; }) == "logon_server");
  BOOST_TEST(refused([&](Identity& i) { i.unix_names->unix_name = bad; }) == "unix_name");
  BOOST_TEST(refused([&](Identity& i) { i.unix_names->sanitized_username = bad; }) == "sanitized_username");
}

BOOST_AUTO_TEST_CASE(addresses_that_are_not_ip_cannot_be_sent) {
  Identity identity = small_identity();
  identity.remote_address = Address::unix_unnamed();
  BOOST_TEST(refusal(identity) == "remote_client_addr: not an IP address");
  identity.remote_address = {};
  identity.local_address = Address::unix_unnamed();
  BOOST_TEST(refusal(identity) == "local_server_addr: not an IP address");
}

BOOST_AUTO_TEST_CASE(a_request_that_is_refused_says_which_field_is_wrong) {
  const auto changed = [](std::size_t at, std::string_view hex) {
    return why_refused(tsock::test::minimal_request, at, hex);
  };
  BOOST_TEST(changed(0x14, "04000300") == "");  // any id that is not 0
  BOOST_TEST(changed(0x2c, "00000000") == "session_info: missing");
  BOOST_TEST(changed(0x30, "09") == "remote_client_name: the counts of the text are wrong");
  BOOST_TEST(changed(0x34, "01") == "remote_client_name: the counts of the text are wrong");
  BOOST_TEST(changed(0x45, "41") == "remote_client_name: the text has no end");
  BOOST_TEST(changed(0x3c, "ff") == "remote_client_name: not UTF-8, or with a NUL inside");
  BOOST_TEST(changed(0x54, "78") == "remote_client_addr: not an IP address");
  BOOST_TEST(changed(0x80, "78") == "local_server_addr: not an IP address");
  BOOST_TEST(changed(0x8c, "00000000") == "session_info: missing");
  BOOST_TEST(changed(0x94, "00000000") == "security_token: missing");
  BOOST_TEST(changed(0xa4, "01000000") == "torture: not null");
  BOOST_TEST(changed(0xa8, "ffffff00") == "session_key: the message ends here");
  BOOST_TEST(changed(0xac, "01000000") == "credentials: not null");
  BOOST_TEST(changed(0xc8, "04000000") == "sids: the counts differ");
  BOOST_TEST(changed(0xc8, "ffffffffffffffff") == "sids: more than the message holds");
  BOOST_TEST(changed(0xc8, "0000000000000000") == "security_token: an identity needs a SID");
  BOOST_TEST(changed(0xd0, "02") == "sids: a SID of another revision than 1");
  BOOST_TEST(changed(0xd1, "10") == "sids: a SID with more than 15 sub-authorities");
  const auto changed_full = [](std::size_t at, std::string_view hex) {
    return why_refused(tsock::test::anonymous_request, at, hex);
  };
  BOOST_TEST(changed_full(0x104, "02000000") == "ngroups: the counts differ");
  BOOST_TEST(changed_full(0x118, "ffffffff") == "ngroups: more than the message holds");
  BOOST_TEST(changed_full(0x130, "02") == "user_principal_constructed: neither 0 nor 1");
  BOOST_TEST(changed_full(0x18c, "02") == "authenticated: neither 0 nor 1");
}

BOOST_AUTO_TEST_CASE(another_magic_or_level_is_told_from_what_cannot_be_read) {
  const auto tried = [](std::size_t at, std::string_view hex, std::optional<Level> only = {}) {
    Bytes message = from_hex(tsock::test::minimal_request);
    replace(message, at, hex);
    return decode(message, only);
  };
  BOOST_TEST(tried(4, "58").err == EPROTONOSUPPORT);
  BOOST_TEST(tried(7, "00").reason == "magic: not NPAM");
  for (const std::string_view level : {"06000000", "09000000", "00000007", "00000000"}) {
    BOOST_TEST(tried(8, level).err == EPROTONOSUPPORT);
    BOOST_TEST(tried(8, level).reason == "level: neither 7 nor 8");
  }
  BOOST_TEST(tried(12, "08000000").err == EPROTO);
  BOOST_TEST(tried(12, "08000000").reason == "level: not the same both times");
  BOOST_TEST(tried(8, "0700000007000000", Level::level8).err == EPROTONOSUPPORT);
  BOOST_TEST(tried(8, "0700000007000000", Level::level8).reason == "level: 7, where only 8 is accepted");
  BOOST_TEST(tried(8, "0800000008000000", Level::level7).err == EPROTONOSUPPORT);
  BOOST_TEST(tried(8, "0700000007000000", Level::level7).err == 0);
  BOOST_TEST(tried(0x54, "78").err == EPROTO);
}

BOOST_AUTO_TEST_CASE(a_port_without_an_address_is_refused) {
  Bytes message = encode(small_identity(), Level::level7);
  replace(message, 0x1c, "01");
  BOOST_TEST(decode(message).reason == "remote_client_addr: a port without an address");
}

BOOST_AUTO_TEST_CASE(claims_are_kept_as_they_came) {
  for (const std::string_view hex :
       {tsock::test::claims_request, tsock::test::claims_and_unix_token_request}) {
    const Decoded decoded = decode(from_hex(hex));
    BOOST_TEST_CONTEXT(decoded.reason) BOOST_TEST_REQUIRE(decoded.err == 0);
    const SecurityToken& token = decoded.identity.token;
    BOOST_TEST(token.claims.count(Claims::Kind::local) == 1U);
    BOOST_TEST(token.claims.count(Claims::Kind::user) == 2U);
    BOOST_TEST(token.claims.count(Claims::Kind::device) == 2U);
    BOOST_TEST(!token.claims.empty());
    BOOST_TEST((token.device_sids == std::vector<Sid>{Sid::everyone()}));
    BOOST_TEST(token.evaluate_claims == 2U);
    BOOST_TEST(decoded.identity.unix_token.has_value() == decoded.identity.unix_names.has_value());
    BOOST_TEST((encode(decoded.identity, Level::level8) == from_hex(hex)));
  }
  BOOST_TEST(Claims().empty());
}

// What is in front of them and behind may change, and so do all offsets.
BOOST_AUTO_TEST_CASE(claims_move_with_the_rest_of_an_identity) {
  const Decoded claims = decode(from_hex(tsock::test::claims_request));
  BOOST_TEST_REQUIRE(claims.err == 0);
  for (std::size_t more = 0; more < 5; ++more) {
    Identity identity = full_identity(Level::level8);
    identity.token.claims = claims.identity.token.claims;
    identity.token.sids.resize(identity.token.sids.size() + more, Sid::network());
    identity.token.device_sids.resize(more);
    identity.remote_name = std::string(more, 'x');
    const Decoded decoded = decode(encode(identity, Level::level8));
    BOOST_TEST_CONTEXT(decoded.reason) BOOST_TEST_REQUIRE(decoded.err == 0);
    BOOST_TEST((decoded.identity == identity));
    BOOST_TEST(decode(encode(identity, Level::level7)).identity.token.claims.empty());
  }
}

BOOST_AUTO_TEST_CASE(claims_that_cannot_be_kept_are_refused) {
  constexpr std::string_view hex = tsock::test::claims_request;
  constexpr std::size_t counts = 0xa4;
  constexpr std::size_t local = counts + 16;
  constexpr std::size_t octets = 0xf4;
  constexpr std::size_t data = 0x142;
  const auto refused = [hex](std::size_t at, std::string_view bytes, int expected) {
    Bytes message = from_hex(hex);
    replace(message, at, bytes);
    const Decoded decoded = decode(message);
    BOOST_TEST(decoded.err == expected);
    return decoded.reason;
  };
  BOOST_TEST(refused(counts, "02000000", EPROTO) == "local_claims: the counts differ");
  BOOST_TEST(refused(local, "00000000", EPROTO) == "local_claims: the counts differ");
  BOOST_TEST(refused(local, "ffffffff", EPROTO) == "local_claims: more than the message holds");
  BOOST_TEST(refused(local + 16, "ffffffff", EPROTO) == "local_claims: more than the message holds");
  BOOST_TEST(refused(local + 8, "0400", ENOTSUP) == "local_claims: a claim of an unknown type");
  // A name or value elsewhere: in front, between others, or that of another claim.
  for (const std::string_view offset : {"04000000", "41010000", "46010000", "ffffffff"})
    BOOST_TEST(refused(local + 4, offset, ENOTSUP) == "local_claims: claims in another order than Samba's");
  BOOST_TEST(refused(octets + 16, "84010000", ENOTSUP) ==
             "device_claims: claims in another order than Samba's");
  BOOST_TEST(refused(data + 0x40, "ffffffff", EPROTO) == "device_claims: the message ends here");
  Bytes endless = from_hex(hex);
  std::fill(endless.begin() + data, endless.end(), std::byte{'x'});
  BOOST_TEST(decode(endless).reason == "local_claims: the message ends here");
}

BOOST_AUTO_TEST_CASE(claims_without_names_and_values_are_kept) {
  Bytes message = from_hex(tsock::test::anonymous_request_level8);
  constexpr std::size_t counts = 0x104;
  replace(message, counts, "01000000");
  replace(message, counts + 16, "01000000");
  const Bytes entry = from_hex(
      "00000000ffffffffffffffff02000000"
      "0000000000000000");
  message.insert(message.begin() + counts + 20, entry.begin(), entry.end());
  set_length(message);
  const Decoded decoded = decode(message);
  BOOST_TEST_CONTEXT(decoded.reason) BOOST_TEST_REQUIRE(decoded.err == 0);
  BOOST_TEST(decoded.identity.token.claims.count(Claims::Kind::local) == 1U);
  BOOST_TEST((encode(decoded.identity, Level::level8) == message));
}

BOOST_AUTO_TEST_CASE(a_request_cut_anywhere_is_refused) {
  for (const std::string_view hex : all_requests) {
    Bytes message = from_hex(hex);
    for (std::size_t size = 0; size < message.size(); ++size) {
      BOOST_TEST(decode(std::span(message).first(size)).err == EPROTO);
      Bytes shorter(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size));
      if (size < 4) continue;
      set_length(shorter);
      const Decoded decoded = decode(shorter);
      BOOST_TEST(decoded.err == (size < 12 ? EMSGSIZE : EPROTO));
      BOOST_TEST(!decoded.reason.empty());
    }
  }
}

BOOST_AUTO_TEST_CASE(bytes_behind_a_request_are_refused) {
  for (const std::string_view hex : all_requests) {
    Bytes message = from_hex(hex);
    for (int more = 0; more < 16; ++more) {
      message.push_back(std::byte{0});
      BOOST_TEST(decode(message).reason == "length: bytes follow the message");
      set_length(message);
      const Decoded decoded = decode(message);
      BOOST_TEST(decoded.err == EPROTO);
      BOOST_TEST(decoded.reason == "the end: bytes follow");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_request_with_any_byte_changed_is_read_or_refused) {
  for (const std::string_view hex : all_requests) {
    Bytes message = from_hex(hex);
    std::size_t wrong = 0;
    for (std::size_t at = 4; at < message.size(); ++at) {
      const std::byte before = message[at];
      for (const std::byte value : {std::byte{0}, std::byte{1}, std::byte{'A'}, std::byte{0xff},
                                    before ^ std::byte{4}, before ^ std::byte{0x80}}) {
        message[at] = value;
        wrong += is_read_or_refused(message) ? 0U : 1U;
      }
      message[at] = before;
    }
    BOOST_TEST(wrong == 0U);
  }
}

BOOST_AUTO_TEST_CASE(counts_of_four_billion_are_read_or_refused) {
  for (const std::string_view hex : all_requests) {
    const Bytes message = from_hex(hex);
    for (std::size_t at = 4; at + 4 <= message.size(); ++at) {
      Bytes bomb = message;
      replace(bomb, at, "ffffffff");
      BOOST_TEST(is_read_or_refused(bomb));
      if (at + 8 > bomb.size()) continue;
      replace(bomb, at, "ffffffffffffffff");
      BOOST_TEST(is_read_or_refused(bomb));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_refused_request_leaves_the_identity_as_it_was) {
  Identity identity = small_identity();
  const Identity before = identity;
  Level level = Level::level8;
  std::string reason;
  Bytes message = from_hex(tsock::test::smbd_user_request);
  message.push_back(std::byte{0});
  BOOST_TEST(decode_request(std::span(message).subspan(4), {}, identity, level, reason) == EPROTO);
  BOOST_TEST((identity == before));
  BOOST_TEST((level == Level::level8));
}

BOOST_AUTO_TEST_SUITE_END()
