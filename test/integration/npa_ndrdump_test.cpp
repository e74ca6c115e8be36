// What we write, read by Samba: ndrdump is its own decoder, of the level that its version has.
#include <boost/test/unit_test.hpp>
#include <string>
#include <string_view>
#include <tsock/npa/npa.hpp>
#include <vector>

#include "npa/request.hpp"
#include "support/npa_messages.hpp"
#include "support/process.hpp"

namespace tsock::test {

namespace {

using npa::Identity;
using npa::Level;
using npa::Sid;

std::string request_of(const Identity& identity, Level level) {
  npa::SecretBytes message;
  std::string reason;
  BOOST_TEST_REQUIRE(npa::encode_request(identity, level, message, reason) == 0);
  return {reinterpret_cast<const char*>(message.bytes().data()), message.size()};
}

struct Dump {
  bool is_read = false;
  std::string text;

  /// Whether it has a line "<name> : <value>", however far apart.
  [[nodiscard]] bool says(std::string_view name, std::string_view value) const {
    for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; ++at) {
      std::size_t end = at + name.size();
      while (end < text.size() && text[end] == ' ') ++end;
      if (text.compare(end, 2, ": ") == 0 && text.compare(end + 2, value.size(), value) == 0) return true;
    }
    return false;
  }
};

Dump dump_of(const std::string& message) {
  const TemporaryFolder folder;
  Process ndrdump(
      {"ndrdump", "named_pipe_auth", "named_pipe_auth_req", "struct", folder.write("request", message)});
  const bool is_good = ndrdump.finish() == 0;
  const std::string text = ndrdump.output() + ndrdump.error();
  const bool is_whole = text.find("unread bytes") == std::string::npos;
  return {.is_read = is_good && is_whole && text.find("pull returned Success") != std::string::npos,
          .text = text};
}

/// The levels that this ndrdump reads: one, or none without it.
std::vector<Level> levels_of_ndrdump() {
  if (!has_program("ndrdump")) return {};
  std::vector<Level> levels;
  for (const Level level : {Level::level7, Level::level8})
    if (dump_of(request_of(Identity::anonymous({}, {}), level)).is_read) levels.push_back(level);
  BOOST_TEST(!levels.empty());
  return levels;
}

Address endpoint(std::string_view text) {
  int err = 0;
  const Address address = Address::parse(text, err);
  BOOST_TEST_REQUIRE(err == 0);
  return address;
}

Identity alice() {
  int err = 0;
  return Identity::user(Sid::parse("S-1-5-21-1-2-3-1000", err), "SCOUT", "alice",
                        {.uid = 1000, .gid = 100, .groups = {100, 27}}, endpoint("192.0.2.1:5000"),
                        endpoint("[2001:db8::1]:445"));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(npa_ndrdump)

BOOST_AUTO_TEST_CASE(samba_reads_a_user_as_he_was_written) {
  for (const Level level : levels_of_ndrdump()) {
    Identity identity = alice();
    identity.account->logon_count = 17;
    identity.account->profile_path = "\\\\server\\alice";
    identity.token.privileges = 0x800000;
    const Dump dump = dump_of(request_of(identity, level));
    BOOST_TEST_CONTEXT(dump.text) {
      BOOST_TEST(dump.is_read);
      BOOST_TEST(dump.says("level", level == Level::level7 ? "0x00000007" : "0x00000008"));
      BOOST_TEST(dump.says("transport", "0x01 (1)"));
      BOOST_TEST(dump.says("remote_client_addr", "'192.0.2.1'"));
      BOOST_TEST(dump.says("remote_client_port", "0x1388 (5000)"));
      BOOST_TEST(dump.says("local_server_addr", "'2001:db8::1'"));
      BOOST_TEST(dump.says("local_server_port", "0x01bd (445)"));
      BOOST_TEST(dump.says("sids", "S-1-5-21-1-2-3-1000"));
      BOOST_TEST(dump.says("sids", "S-1-22-2-27"));
      BOOST_TEST(dump.says("num_sids", "0x00000007 (7)"));
      BOOST_TEST(dump.says("uid", "0x00000000000003e8 (1000)"));
      BOOST_TEST(dump.says("gid", "0x0000000000000064 (100)"));
      BOOST_TEST(dump.says("ngroups", "0x00000002 (2)"));
      BOOST_TEST(dump.says("account_name", "'alice'"));
      BOOST_TEST(dump.says("domain_name", "'SCOUT'"));
      BOOST_TEST(dump.says("profile_path", "'\\\\server\\alice'"));
      BOOST_TEST(dump.says("logon_count", "0x0011 (17)"));
      BOOST_TEST(dump.says("acct_flags", "0x00000010 (16)"));
      BOOST_TEST(dump.says("unix_name", "'alice'"));
      BOOST_TEST(dump.says("sanitized_username", "'alice'"));
    }
  }
}

BOOST_AUTO_TEST_CASE(samba_reads_whatever_fields_are_missing) {
  for (const Level level : levels_of_ndrdump()) {
    Identity bare;
    bare.token.sids = {Sid::anonymous()};
    std::vector<Identity> identities{bare, Identity::anonymous({}, {}), alice()};
    bare.unix_names = npa::UnixNames{};
    identities.push_back(bare);
    bare.account = npa::AccountInfo{};
    identities.push_back(bare);
    bare.unix_names.reset();
    identities.push_back(bare);
    bare.unix_token = npa::UnixToken{};
    identities.push_back(bare);
    bare.token.sids.resize(1000, Sid::unix_group(5));
    bare.unix_token->groups.resize(1001, 5);
    identities.push_back(bare);
    for (const Identity& identity : identities) {
      const Dump dump = dump_of(request_of(identity, level));
      BOOST_TEST_CONTEXT(dump.text.substr(0, 4000)) BOOST_TEST(dump.is_read);
    }
  }
}

// Texts and secrets of every length put what is behind them at every place.
BOOST_AUTO_TEST_CASE(samba_reads_texts_and_secrets_of_any_length) {
  for (const Level level : levels_of_ndrdump())
    for (std::size_t size = 0; size < 9; ++size) {
      Identity identity = alice();
      const std::string text(size, 'x');
      identity.remote_name = text;
      identity.local_name = text + "y";
      identity.account->home_drive = text;
      identity.unix_names->unix_name = text;
      identity.session_key = npa::SecretBytes(std::as_bytes(std::span(text)));
      identity.exported_gssapi_credentials = identity.session_key;
      identity.account->is_principal_name_constructed = size % 2 == 0;
      const Dump dump = dump_of(request_of(identity, level));
      BOOST_TEST_CONTEXT(dump.text) {
        BOOST_TEST(dump.is_read);
        BOOST_TEST(dump.says("remote_client_name", "'" + text + "'"));
        BOOST_TEST(dump.says("home_drive", "'" + text + "'"));
        BOOST_TEST(dump.says("sanitized_username", "'alice'"));
      }
    }
}

// Its decoder looks for what follows a token with claims where their names are, so nothing follows here.
BOOST_AUTO_TEST_CASE(samba_reads_claims_that_were_kept) {
  for (const Level level : levels_of_ndrdump()) {
    if (level != Level::level8) continue;
    const std::vector<std::byte> message = from_hex(claims_request);
    Identity identity;
    Level found = level;
    std::string reason;
    BOOST_TEST_REQUIRE(npa::decode_request(std::span(message).subspan(4), {}, identity, found, reason) == 0);
    identity.remote_name = "somebody else";
    identity.token.sids.push_back(Sid::network());
    identity.token.device_sids.push_back(Sid::network());
    const Dump dump = dump_of(request_of(identity, level));
    BOOST_TEST_CONTEXT(dump.text) {
      BOOST_TEST(dump.is_read);
      for (const std::string_view name : {"'n'", "'n1'", "'Title'", "'o'", "'b'"})
        BOOST_TEST(dump.says("name", name));
      BOOST_TEST(dump.says("int_value", "0xfffffffffffffffb (-5)"));
      BOOST_TEST(dump.says("uint_value", "0x0000000000000006 (6)"));
      BOOST_TEST(dump.says("string_value", "'cde'"));
      BOOST_TEST(dump.says("octet_value", "DATA_BLOB length=2"));
      BOOST_TEST(dump.says("evaluate_claims", "CLAIMS_EVALUATION_ALWAYS (2)"));
    }
  }
}

BOOST_AUTO_TEST_CASE(samba_does_not_read_a_request_with_bytes_behind) {
  for (const Level level : levels_of_ndrdump())
    BOOST_TEST(!dump_of(request_of(alice(), level) + std::string(4, '\0')).is_read);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
