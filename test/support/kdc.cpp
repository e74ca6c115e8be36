#include "support/kdc.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "support/port_apart.hpp"

namespace tsock::test {

namespace {

sockaddr_in loopback(unsigned port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A port of which the descriptor is to tell.
UniqueSocket bound_socket(unsigned& port) {
  UniqueSocket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  BOOST_TEST_REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  BOOST_TEST_REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port = ntohs(address.sin_port);
  return socket;
}

constexpr const char* kdc_folder = ":/usr/sbin";

void set(const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); }

}  // namespace

bool Kdc::is_installed() {
  // Debian has them where a user's PATH does not lead.
  const char* const path = std::getenv("PATH");
  const std::string folders = std::string(path != nullptr ? path : "/usr/bin") + kdc_folder;
  for (const std::string_view program : {"krb5kdc", "kdb5_util", "kadmin.local", "kinit", "setpriv"}) {
    bool is_found = false;
    for (std::size_t begin = 0; begin < folders.size() && !is_found;) {
      const std::size_t end = std::min(folders.find(':', begin), folders.size());
      is_found =
          ::access((folders.substr(begin, end - begin) + '/' + std::string(program)).c_str(), X_OK) == 0;
      begin = end + 1;
    }
    if (!is_found) return false;
  }
  return true;
}

Kdc* Kdc::get() {
  if (!is_installed()) {
    BOOST_TEST_MESSAGE(
        "skipped: there is no KDC of MIT krb5 (Debian: krb5-kdc, krb5-admin-server, krb5-user)");
    return nullptr;
  }
  static const std::unique_ptr<Kdc> kdc(new Kdc);
  return kdc.get();
}

std::string Kdc::run(std::vector<std::string> words, std::string_view input) {
  const std::string program = words.front();
  Process process(std::move(words));
  process.write(input);
  const int status = process.finish();
  BOOST_TEST_REQUIRE(status == 0, program << ": " << process.error());
  return process.output();
}

void Kdc::write_files() {
  unsigned silent_port = 0;
  unsigned held_port = 0;
  silent_ = bound_socket(silent_port);
  held_ = bound_socket(held_port);
  for (const UniqueSocket* socket : {&silent_, &held_}) BOOST_TEST_REQUIRE(::listen(socket->get(), 64) == 0);
  const std::string kdc = "127.0.0.1:" + std::to_string(port_);
  const std::string krb5_conf = folder_.write(
      "krb5.conf",
      "[libdefaults]\n default_realm = TSOCK.TEST\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"
      " dns_canonicalize_hostname = false\n rdns = false\n qualify_shortname = \"\"\n ticket_lifetime = 1h\n"
      // Both have one clock: a slow kinit would otherwise take it for a second's difference.
      " kdc_timesync = 0\n"
      " forwardable = true\n udp_preference_limit = 1\n[realms]\n"
      " TSOCK.TEST = {\n  kdc = " +
          kdc + "\n }\n SILENT.TEST = {\n  kdc = 127.0.0.1:" + std::to_string(silent_port) +
          "\n }\n HELD.TEST = {\n  kdc = 127.0.0.1:" + std::to_string(held_port) +
          "\n }\n ABSENT.TEST = {\n  kdc = 127.0.0.1:1\n }\n[domain_realm]\n localhost = TSOCK.TEST\n");
  const std::string kdc_conf = folder_.write(
      "kdc.conf", "[kdcdefaults]\n kdc_listen = " + kdc + "\n kdc_tcp_listen = " + kdc +
                      "\n[realms]\n TSOCK.TEST = {\n  database_name = " + file("principal") +
                      "\n  key_stash_file = " + file("stash") + "\n  acl_file = " + file("kadm5.acl") +
                      "\n  max_life = 1h\n  supported_enctypes = aes256-cts-hmac-sha1-96:normal "
                      "aes128-cts-hmac-sha1-96:normal\n }\n[logging]\n kdc = FILE:" +
                      file("kdc.log") + "\n admin_server = FILE:" + file("admin.log") + "\n");
  set("KRB5_CONFIG", krb5_conf);
  set("KRB5_KDC_PROFILE", kdc_conf);
  set("KRB5RCACHEDIR", std::filesystem::path(krb5_conf).parent_path().string());
  set("KRB5_KTNAME", "FILE:" + file("server.keytab"));
  set("KRB5CCNAME", "FILE:" + file("cc"));
}

bool Kdc::answers() const {
  const UniqueSocket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port_);
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

Kdc::Kdc() {
  const char* const path = std::getenv("PATH");
  set("PATH", std::string(path != nullptr ? path : "/usr/bin") + kdc_folder);
  port_ = port_apart();
  write_files();
  run({"kdb5_util", "create", "-s", "-P", "masterpw", "-r", "TSOCK.TEST"});
  std::string commands = "addprinc -pw " + std::string(alices_password) + " alice\n";
  commands += "addprinc -pw bobpw -allow_tix bob\n";
  for (const char* service : {"gsstest", "host", "ldap", "postgres", "other"})
    commands += std::string("addprinc -randkey ") + service + "/localhost\n";
  commands += "ktadd -k " + file("stale.keytab") + " gsstest/localhost\n";
  for (const char* service : {"gsstest", "host", "ldap", "postgres"})
    commands += "ktadd -k " + file("server.keytab") + ' ' + service + "/localhost\n";
  commands += "ktadd -k " + file("other.keytab") + " other/localhost\n";
  commands += "ktadd -norandkey -k " + file("alice.keytab") + " alice\n";
  run({"kadmin.local"}, commands);
  start();
  run({"kinit", "-f", "-c", "FILE:" + file("cc"), "alice"}, std::string(alices_password) + "\n");
}

// Ends with this program, however that ends.
void Kdc::start() {
  process_ = std::make_unique<Process>(
      std::vector<std::string>{"setpriv", "--pdeathsig", "KILL", "krb5kdc", "-n", "-P", file("kdc.pid")});
  process_->wait_until([this] { return answers(); }, "the KDC");
}

UniqueSocket Kdc::next_held() const {
  pollfd waited{.fd = held_.get(), .events = POLLIN, .revents = 0};
  BOOST_TEST_REQUIRE(::poll(&waited, 1, Process::patience * 1000) == 1);
  return UniqueSocket(::accept4(held_.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

std::string Kdc::ticket(const std::string& principal, std::string_view password,
                        std::vector<std::string> options) {
  const std::string cache = "FILE:" + file("cc." + std::to_string(++tickets_));
  std::vector<std::string> words{"kinit", "-c", cache};
  words.insert(words.end(), options.begin(), options.end());
  words.push_back(principal);
  run(std::move(words), std::string(password) + "\n");
  return cache;
}

}  // namespace tsock::test
