// Where credentials of GSSAPI come from, and how long what a KDC has given is kept.
#include <gssapi/gssapi_ext.h>
#include <krb5.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <string_view>
#include <tsock/gssapi/gssapi.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "gssapi/mit/credentials_state.hpp"
#include "support/kdc.hpp"
#include "support/loop_fixture.hpp"
#include "support/scoped_environment.hpp"

namespace tsock::test {

namespace {

using namespace std::chrono_literals;
using gssapi::Credentials;

/// How many of the caches in memory, whose names are counted, somebody has tickets in.
unsigned kept_caches() {
  constexpr unsigned more_than_made = 500;
  krb5_context context = nullptr;
  BOOST_TEST_REQUIRE(krb5_init_context(&context) == 0);
  unsigned count = 0;
  for (unsigned i = 1; i < more_than_made; ++i) {
    krb5_ccache cache = nullptr;
    krb5_principal owner = nullptr;
    const std::string name = "MEMORY:tsock-gssapi-" + std::to_string(i);
    BOOST_TEST_REQUIRE(krb5_cc_resolve(context, name.c_str(), &cache) == 0);
    if (krb5_cc_get_principal(context, cache, &owner) == 0) ++count;
    krb5_free_principal(context, owner);
    krb5_cc_close(context, cache);
  }
  krb5_free_context(context);
  return count;
}

struct CredentialsFixture : LoopFixture {
  Kdc* kdc = Kdc::get();

  struct Ends {
    int client = -1;
    int server = -1;
    std::string client_reason = {};
    std::string server_reason = {};
    gssapi::Peer seen_by_client = {};
    gssapi::Peer seen_by_server = {};
  };
  Ends shake(const Credentials& client, const Credentials& server = {},
             const std::string& mechanism = "kerberos") {
    auto pair = tcp_pair();
    Request<Stream> connecting =
        gssapi::connect(std::move(pair.first),
                        {.target = "gsstest@localhost", .mechanism = mechanism, .credentials = client});
    Request<Stream> accepting = gssapi::accept(std::move(pair.second), {.credentials = server});
    Ends ends;
    const Stream left = fetch(connecting, ends.client);
    ends.client_reason = connecting.reason();
    connecting = {};
    const Stream right = fetch(accepting, ends.server);
    ends.server_reason = accepting.reason();
    int err = 0;
    if (ends.client == 0) ends.seen_by_client = gssapi::peer(left, err);
    if (ends.server == 0) ends.seen_by_server = gssapi::peer(right, err);
    return ends;
  }
  std::string client_of(const Credentials& credentials, const std::string& mechanism = "kerberos") {
    const Ends ends = shake(credentials, {}, mechanism);
    BOOST_TEST(ends.client == 0, ends.client_reason);
    BOOST_TEST(ends.server == 0, ends.server_reason);
    return ends.seen_by_server.name;
  }
  void copy(const std::string& from, const std::string& to) const {
    std::filesystem::copy_file(kdc->file(from), kdc->file(to),
                               std::filesystem::copy_options::overwrite_existing);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(gssapi_credentials, CredentialsFixture)

BOOST_AUTO_TEST_CASE(a_principal_chooses_among_the_keys_of_a_file) {
  if (kdc == nullptr) return;
  const std::string keytab = kdc->file("server.keytab");
  BOOST_TEST(client_of(Credentials::from_keytab(keytab, "ldap/localhost")) == "ldap/localhost@TSOCK.TEST");
  BOOST_TEST(client_of(Credentials::from_keytab(keytab, "host/localhost@TSOCK.TEST")) ==
             "host/localhost@TSOCK.TEST");
  // A server, too: tickets for its other names are refused.
  const Credentials alice = Credentials::from_ccache("FILE:" + kdc->file("cc"));
  BOOST_TEST(shake(alice, Credentials::from_keytab(keytab, "gsstest/localhost")).server == 0);
  const Ends ends = shake(alice, Credentials::from_keytab(keytab, "ldap/localhost"));
  BOOST_TEST(ends.server == EACCES);
  BOOST_TEST(!ends.server_reason.empty());
}

BOOST_AUTO_TEST_CASE(a_cache_of_another_principal_is_refused) {
  if (kdc == nullptr) return;
  const std::string cache = "FILE:" + kdc->file("cc");
  BOOST_TEST(client_of(Credentials::from_ccache(cache, "alice")) == "alice@TSOCK.TEST");
  const Ends ends = shake(Credentials::from_ccache(cache, "bob"));
  BOOST_TEST(ends.client == EACCES);
  BOOST_TEST(ends.client_reason.find("does not match") != std::string::npos, ends.client_reason);
}

BOOST_AUTO_TEST_CASE(a_principal_that_cannot_be_one_is_einval) {
  if (kdc == nullptr) return;
  for (const Credentials& credentials :
       {Credentials::with_password("alice@TSOCK.TEST@TSOCK.TEST", "pw"),
        Credentials::from_keytab(kdc->file("alice.keytab"), "alice@TSOCK.TEST@TSOCK.TEST")}) {
    const Ends ends = shake(credentials);
    BOOST_TEST(ends.client == EINVAL);
    BOOST_TEST(!ends.client_reason.empty());
  }
}

BOOST_AUTO_TEST_CASE(each_has_tickets_of_its_own) {
  if (kdc == nullptr) return;
  const Credentials alice = Credentials::with_password("alice", Kdc::alices_password);
  const Credentials ldap = Credentials::from_keytab(kdc->file("server.keytab"), "ldap/localhost");
  const Credentials host = Credentials::from_keytab(kdc->file("server.keytab"), "host/localhost");
  for (const char* const mechanism : {"kerberos", "spnego", "kerberos"}) {
    BOOST_TEST(client_of(alice, mechanism) == "alice@TSOCK.TEST");
    BOOST_TEST(client_of(ldap, mechanism) == "ldap/localhost@TSOCK.TEST");
    BOOST_TEST(client_of(host, mechanism) == "host/localhost@TSOCK.TEST");
  }
}

BOOST_AUTO_TEST_CASE(what_is_kept_goes_with_the_last_copy) {
  if (kdc == nullptr) return;
  const unsigned before = kept_caches();
  {
    Credentials credentials = Credentials::with_password("alice", Kdc::alices_password);
    BOOST_TEST(client_of(credentials) == "alice@TSOCK.TEST");
    const Credentials copy = credentials;  // NOLINT(performance-unnecessary-copy-initialization)
    credentials = Credentials::from_keytab(kdc->file("alice.keytab"), "alice");
    BOOST_TEST(kept_caches() > before);
    BOOST_TEST(client_of(copy) == "alice@TSOCK.TEST");
  }
  // The worker threads' last share may go a moment later.
  const auto end = Clock::now() + guard_time;
  while (kept_caches() != before) {
    BOOST_TEST_REQUIRE((Clock::now() < end));
    BOOST_TEST(error_of(loop.sleep(1ms)) == 0);
  }
}

BOOST_AUTO_TEST_CASE(files_are_read_anew_for_each_handshake) {
  if (kdc == nullptr) return;
  const Credentials client = Credentials::from_ccache("FILE:" + kdc->file("changing.cc"));
  const Credentials server = Credentials::from_keytab(kdc->file("changing.keytab"));
  copy("cc", "changing.cc");
  copy("server.keytab", "changing.keytab");
  BOOST_TEST(shake(client, server).server == 0);
  copy("other.keytab", "changing.keytab");
  BOOST_TEST(shake(client, server).server == EACCES);
  copy("server.keytab", "changing.keytab");
  BOOST_TEST(shake(client, server).server == 0);
  std::filesystem::remove(kdc->file("changing.cc"));
  BOOST_TEST(shake(client, server).client == EACCES);
}

// It is half a minute before the end of a ticket that there has to be another one.
BOOST_AUTO_TEST_CASE(a_ticket_that_is_about_to_end_is_asked_for_anew) {
  if (kdc == nullptr) return;
  const std::string usual = std::getenv("KRB5_CONFIG");
  const std::string brief = kdc->file("brief.conf");
  Kdc::run({"sh", "-c", "sed 's/ticket_lifetime = 1h/ticket_lifetime = 32s/' " + usual + " > " + brief});
  const ScopedEnvironment environment("KRB5_CONFIG", brief);
  const Credentials credentials = Credentials::with_password("alice", Kdc::alices_password);
  // When the ticket ends; a second is what the mechanism counts, and what is rounded on the way.
  const auto end_of_ticket = [&] {
    const Ends ends = shake(credentials);
    BOOST_TEST_REQUIRE(ends.client == 0, ends.client_reason);
    return Clock::now() + ends.seen_by_client.lifetime;
  };
  const Clock::time_point first = end_of_ticket();
  BOOST_TEST(error_of(loop.sleep(4500ms)) == 0);
  BOOST_TEST((end_of_ticket() - first > 2s));
}

BOOST_AUTO_TEST_CASE(a_password_is_told_nowhere) {
  if (kdc == nullptr) return;
  constexpr std::string_view secret = "the-secret-of-alice";
  std::string told;
  loop.set_trace([&told](const TraceEvent& event) { told += std::string(event.reason) + event.name; });
  {
    const auto stuck = Credentials::with_password("alice@SILENT.TEST", secret);
    auto pair = tcp_pair();
    Request<Stream> connecting =
        gssapi::connect(std::move(pair.first), {.target = "gsstest@localhost", .credentials = stuck});
    loop.run_until_idle();
    std::ostringstream json;
    loop.dump_json(json);
    told += dump() + json.str();
    BOOST_TEST(told.find("gssapi_connect") != std::string::npos);
  }
  const Ends ends = shake(Credentials::with_password("alice", secret));
  BOOST_TEST(ends.client == EACCES);
  told += ends.client_reason;
  std::string reason;
  BOOST_TEST(Credentials::with_password("alice", secret).store("FILE:" + kdc->file("none"), reason) != 0);
  told += reason;
  loop.set_trace({});
  BOOST_TEST(told.find(secret) == std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_stored_says_where_it_cannot_be) {
  if (kdc == nullptr) return;
  std::string reason;
  BOOST_TEST(Credentials().store("FILE:" + kdc->file("own"), reason) == EINVAL);
  BOOST_TEST(reason == "the system's own credentials are stored already");
  const Credentials alice = Credentials::with_password("alice", Kdc::alices_password);
  reason.clear();
  BOOST_TEST(alice.store("FILE:/nonexistent/cache", reason) == EIO);
  BOOST_TEST(!reason.empty());
  const Credentials wrong = Credentials::with_password("alice", "wrong");
  BOOST_TEST(wrong.store("FILE:" + kdc->file("wrong"), reason) == EACCES);
  BOOST_TEST_REQUIRE(alice.store("FILE:" + kdc->file("alices"), reason) == 0, reason);
  BOOST_TEST(client_of(Credentials::from_ccache("FILE:" + kdc->file("alices"))) == "alice@TSOCK.TEST");
}

BOOST_AUTO_TEST_CASE(a_target_is_a_service_of_a_host_or_a_principal) {
  const auto imported = [](const std::string& text, std::string& display) {
    gssapi::GssName name;
    std::string reason;
    const int err = gssapi::import_target(text, name, reason);
    BOOST_TEST(reason.empty() == (err == 0));
    OM_uint32 minor = 0;
    gssapi::GssBuffer shown;
    gss_OID kind = GSS_C_NO_OID;
    if (err == 0) gss_display_name(&minor, name.get(), shown.place(), &kind);
    const auto bytes = shown.bytes();
    display.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return err != 0 ? 0 : gss_oid_equal(kind, GSS_C_NT_HOSTBASED_SERVICE) != 0 ? 'h' : 'p';
  };
  std::string shown;
  BOOST_TEST(imported("imap@mail.example.com", shown) == 'h');
  BOOST_TEST(shown == "imap@mail.example.com");
  BOOST_TEST(imported("imap/mail.example.com@EXAMPLE.COM", shown) == 'p');
  BOOST_TEST(imported("alice", shown) == 'p');
  BOOST_TEST(shown == "alice");
  for (const std::string& none : {std::string(), std::string("imap@mail\0x", 11)})
    BOOST_TEST(imported(none, shown) == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
