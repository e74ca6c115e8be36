// Heimdal's KDC, for streams over MIT's library.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <tsock/gssapi/gssapi.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/kdc.hpp"
#include "support/loop_fixture.hpp"
#include "support/port_apart.hpp"
#include "support/process.hpp"
#include "support/scoped_environment.hpp"
#include "support/unpacked_peers.hpp"

namespace tsock::test {

namespace data = boost::unit_test::data;

namespace {

using namespace std::chrono_literals;
using gssapi::Credentials;

constexpr const char* heimdal_kdc = "usr/lib/heimdal-servers/kdc";
constexpr std::string_view heimdal_mechanisms[] = {"kerberos", "spnego"};

/// One for this program, of the realm HEIMDAL.TEST. While a test uses it, the environment points at it.
class HeimdalKdc {
 public:
  static HeimdalKdc* get() {
    if (!has_unpacked_peer(heimdal_kdc) || !has_program("setpriv") || !has_program("kinit")) return nullptr;
    static const std::unique_ptr<HeimdalKdc> kdc(new HeimdalKdc);
    return kdc.get();
  }
  [[nodiscard]] std::string file(std::string_view name) const { return folder_.file(name); }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> environment() const {
    return {{"KRB5_CONFIG", file("krb5.conf")},
            {"KRB5CCNAME", "FILE:" + file("cc")},
            {"KRB5_KTNAME", "FILE:" + file("server.keytab")},
            {"KRB5RCACHENAME", "none:"}};
  }

 private:
  HeimdalKdc() {
    const std::string port = std::to_string(port_apart());
    const std::string conf = folder_.write(
        "krb5.conf",
        "[libdefaults]\n default_realm = HEIMDAL.TEST\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"
        " dns_canonicalize_hostname = false\n rdns = false\n qualify_shortname = \"\"\n forwardable = true\n"
        " udp_preference_limit = 1\n[realms]\n HEIMDAL.TEST = {\n  kdc = 127.0.0.1:" +
            port + "\n }\n[domain_realm]\n localhost = HEIMDAL.TEST\n[kdc]\n database = {\n  dbname = " +
            file("heimdal") + "\n  realm = HEIMDAL.TEST\n  mkey_file = " + file("key") + "\n  log_file = " +
            file("log") + "\n  acl_file = " + file("acl") + "\n }\n[logging]\n kdc = STDERR\n");
    const ScopedEnvironment scope(environment());
    Kdc::run(program("usr/sbin/kstash", {"--random-key", "--key-file=" + file("key")}));
    Kdc::run(program("usr/bin/kadmin.heimdal", {"-l"}),
             "init --realm-max-ticket-life=1h --realm-max-renewable-life=1h HEIMDAL.TEST\n"
             "add --password=alicepw --use-defaults alice\n"
             "add --password=bobpw --use-defaults --attributes=disallow-all-tix bob\n"
             "add --random-key --use-defaults gsstest/localhost\n"
             "add --random-key --use-defaults other/localhost\n"
             "ext_keytab -k " +
                 file("server.keytab") + " gsstest/localhost\next_keytab -k " + file("server.keytab") +
                 " other/localhost\next_keytab -k " + file("alice.keytab") + " alice\n");
    std::vector<std::string> words =
        program(heimdal_kdc, {"--addresses=127.0.0.1", "--ports=" + port, "--config-file=" + conf});
    // Ends with this program, however that ends.
    words.insert(words.begin(), {"setpriv", "--pdeathsig", "TERM"});
    process_ = std::make_unique<Process>(std::move(words));
    process_->wait_for_error("port " + port + "/tcp");
    Kdc::run({"kinit", "-f", "-c", "FILE:" + file("cc"), "alice"}, "alicepw\n");
  }

  static std::vector<std::string> program(const char* path, const std::vector<std::string>& arguments) {
    std::vector<std::string> words{"env", "LD_LIBRARY_PATH=" + unpacked_peer("usr/lib/x86_64-linux-gnu"),
                                   unpacked_peer(path)};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return words;
  }

  TemporaryFolder folder_;
  std::unique_ptr<Process> process_;
};

struct HeimdalFixture : LoopFixture {
  HeimdalKdc* kdc = HeimdalKdc::get();
  ScopedEnvironment environment{kdc != nullptr ? kdc->environment()
                                               : std::vector<std::pair<std::string, std::string>>()};

  std::pair<Stream, Stream> both(const gssapi::ConnectOptions& options) {
    auto pair = tcp_pair();
    Request<Stream> left = gssapi::connect(std::move(pair.first), options);
    Request<Stream> right = gssapi::accept(std::move(pair.second));
    int err = 0;
    pair.first = fetch(left, err);
    BOOST_TEST_REQUIRE(err == 0, left.reason());
    pair.second = fetch(right, err);
    BOOST_TEST_REQUIRE(err == 0, right.reason());
    return pair;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(gssapi_heimdal, HeimdalFixture)

BOOST_DATA_TEST_CASE_F(HeimdalFixture, its_tickets_come_from_a_cache_a_keytab_or_a_password,
                       data::make(heimdal_mechanisms) * data::make({0U, 1U, 2U}), mechanism, source) {
  if (kdc == nullptr) return;
  const Credentials sources[]{Credentials::from_ccache("FILE:" + kdc->file("cc")),
                              Credentials::from_keytab(kdc->file("alice.keytab"), "alice"),
                              Credentials::with_password("alice", "alicepw")};
  auto [client, server] = both(
      {.target = "gsstest@localhost", .mechanism = std::string(mechanism), .credentials = sources[source]});
  BOOST_TEST((send_through(client, server, pattern(300'000)) == pattern(300'000)));
  BOOST_TEST((send_through(server, client, pattern(1000, 1)) == pattern(1000, 1)));
  int err = -1;
  const gssapi::Peer peer = gssapi::peer(server, err);
  BOOST_TEST(peer.name == "alice@HEIMDAL.TEST");
  BOOST_TEST(peer.mechanism == "kerberos");
  BOOST_TEST(peer.is_sealed);
  const gssapi::Peer service = gssapi::peer(client, err);
  BOOST_TEST(service.name == "gsstest/localhost@HEIMDAL.TEST");
  BOOST_TEST((service.lifetime > 50min && service.lifetime <= 1h));
}

BOOST_AUTO_TEST_CASE(its_delegated_tickets_act_for_the_client) {
  if (kdc == nullptr) return;
  auto [client, server] = both({.target = "gsstest@localhost", .delegate = true});
  int err = -1;
  const Credentials delegated = gssapi::peer(server, err).delegated;
  BOOST_TEST_REQUIRE(static_cast<bool>(delegated));
  auto [middle, last] = both({.target = "other@localhost", .credentials = delegated});
  BOOST_TEST(gssapi::peer(last, err).name == "alice@HEIMDAL.TEST");
}

BOOST_AUTO_TEST_CASE(what_it_refuses_is_told_in_words) {
  if (kdc == nullptr) return;
  struct Case {
    gssapi::ConnectOptions options;
    const char* words;
  };
  const Case cases[]{
      {{.target = "nosuch@localhost"}, "not found in Kerberos database"},
      {{.target = "gsstest@localhost", .credentials = Credentials::with_password("alice", "wrong")},
       "reauthentication failed"},
      {{.target = "gsstest@localhost", .credentials = Credentials::with_password("nobody", "pw")},
       "not found in Kerberos database"},
      {{.target = "gsstest@localhost", .credentials = Credentials::with_password("bob", "bobpw")}, "policy"},
  };
  for (const Case& each : cases) {
    BOOST_TEST_INFO_SCOPE("expected: " << each.words);
    auto pair = tcp_pair();
    Request<Stream> connecting = gssapi::connect(std::move(pair.first), each.options);
    BOOST_TEST(error_of(connecting) == EACCES);
    BOOST_TEST(connecting.reason().find(each.words) != std::string_view::npos, connecting.reason());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
