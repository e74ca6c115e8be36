#include <boost/test/unit_test.hpp>
#include <string>
#include <string_view>
#include <tsock/npa/npa.hpp>
#include <utility>
#include <vector>

namespace {

using tsock::Address;
using tsock::npa::Identity;
using tsock::npa::SecretBytes;
using tsock::npa::Sid;
using tsock::npa::UnixToken;
using namespace std::literals;

Address address_at(std::string_view text) {
  int err = 0;
  const Address address = Address::parse(text, err);
  BOOST_TEST_REQUIRE(err == 0);
  return address;
}

SecretBytes secret(std::string_view text) { return SecretBytes(std::as_bytes(std::span(text))); }

Identity alice() {
  int err = 0;
  return Identity::user(Sid::parse("S-1-5-21-1-2-3-1000", err), "SCOUT", "alice",
                        UnixToken{.uid = 1000, .gid = 100, .groups = {100, 27}}, address_at("192.0.2.1:5000"),
                        address_at("[2001:db8::1]:445"));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(npa_identity)

BOOST_AUTO_TEST_CASE(an_anonymous_client_has_all_that_samba_wants_for_calls) {
  const Identity identity =
      Identity::anonymous(address_at("192.0.2.1:5000"), address_at("[2001:db8::1]:445"));
  BOOST_TEST(identity.is_anonymous());
  BOOST_TEST(!identity.is_authenticated());
  BOOST_TEST((identity.token.sids == std::vector<Sid>{Sid::anonymous(), Sid::everyone(), Sid::network()}));
  BOOST_TEST(identity.remote_name.value() == "192.0.2.1");
  BOOST_TEST(identity.local_name.value() == "2001:db8::1");
  BOOST_TEST_REQUIRE(identity.unix_token.has_value());
  BOOST_TEST(identity.unix_token->uid == 65534);
  BOOST_TEST_REQUIRE(identity.account.has_value());
  BOOST_TEST(!identity.account->is_authenticated);
  BOOST_TEST(identity.unix_names.has_value());
}

BOOST_AUTO_TEST_CASE(a_user_has_his_sid_first_and_the_ids_of_the_system) {
  const Identity identity = alice();
  const std::vector<std::string> expected{"S-1-5-21-1-2-3-1000", "S-1-1-0",      "S-1-5-2",    "S-1-5-11",
                                          "S-1-22-1-1000",       "S-1-22-2-100", "S-1-22-2-27"};
  std::vector<std::string> sids;
  for (const Sid& sid : identity.token.sids) sids.push_back(sid.to_string());
  BOOST_TEST(sids == expected, boost::test_tools::per_element());
  BOOST_TEST(identity.is_authenticated());
  BOOST_TEST(!identity.is_anonymous());
  BOOST_TEST(identity.unix_token->uid == 1000);
  BOOST_TEST(identity.account->account_name.value() == "alice");
  BOOST_TEST(identity.account->domain_name.value() == "SCOUT");
  BOOST_TEST(identity.account->is_authenticated);
  BOOST_TEST(identity.unix_names->unix_name.value() == "alice");
}

BOOST_AUTO_TEST_CASE(notes_of_smbd_are_left_out_of_identities) {
  Identity identity = alice();
  const std::vector<Sid> before = identity.token.sids;
  int err = 0;
  identity.token.sids.push_back(Sid::parse("S-1-22-2041152804-1", err));
  BOOST_TEST((identity.token.identities() == before));
  BOOST_TEST(identity.token.sids.size() == before.size() + 1);
}

BOOST_AUTO_TEST_CASE(the_system_is_authenticated) {
  Identity identity;
  identity.token.sids = {Sid::system()};
  BOOST_TEST(identity.is_authenticated());
}

BOOST_AUTO_TEST_CASE(the_line_for_logs_has_no_secret_and_nothing_unprintable) {
  Identity identity = alice();
  identity.session_key = secret("topsecretkey");
  BOOST_TEST(identity.to_string() == "SCOUT\\alice S-1-5-21-1-2-3-1000 uid 1000 from 192.0.2.1:5000");
  identity.account->account_name = "a\nb\x1b[0m \xc3\xa9\\c";
  BOOST_TEST(identity.to_string() ==
             "SCOUT\\a\\x0Ab\\x1B[0m\\x20\\xC3\\xA9\\x5Cc S-1-5-21-1-2-3-1000 uid 1000 from 192.0.2.1:5000");
  BOOST_TEST(Identity{}.to_string() == "no SID");
}

BOOST_AUTO_TEST_CASE(identities_differ_by_their_secrets) {
  Identity a = alice();
  Identity b = a;
  BOOST_TEST((a == b));
  a.session_key = secret("one");
  BOOST_TEST((a != b));
  b.session_key = secret("two");
  BOOST_TEST((a != b));
  b = a;
  BOOST_TEST((a == b));
}

BOOST_AUTO_TEST_CASE(secrets_are_copied_moved_and_forgotten) {
  SecretBytes a = secret("secret");
  SecretBytes b = a;
  BOOST_TEST((a == b));
  a.clear();
  BOOST_TEST(a.empty());
  BOOST_TEST(b.size() == 6);
  a = std::move(b);
  BOOST_TEST((a == secret("secret")));
  const SecretBytes c = a;
  a = c;
  BOOST_TEST((a == c));
  a.reset(3);
  BOOST_TEST((a == secret("\0\0\0"sv)));
}

BOOST_AUTO_TEST_SUITE_END()
