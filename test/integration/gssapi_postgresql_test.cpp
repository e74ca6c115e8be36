// PostgreSQL's GSS encryption.
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <tsock/gssapi/gssapi.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/kdc.hpp"
#include "support/loop_fixture.hpp"
#include "support/process.hpp"

namespace tsock::test {

namespace {

constexpr const char* postgresql_programs = "/usr/lib/postgresql/15/bin/";
using namespace std::string_view_literals;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(gssapi_postgresql, LoopFixture)

BOOST_AUTO_TEST_CASE(a_query_goes_through_a_stream_that_is_sealed) {
  const std::string programs = postgresql_programs;
  if (!std::filesystem::exists(programs + "initdb") || Kdc::get() == nullptr) {
    BOOST_TEST_MESSAGE("skipped: there is no PostgreSQL 15, or no KDC");
    return;
  }
  const std::string folder = "/tmp/tsock-postgresql-" + std::to_string(::getpid());
  const std::string keytab = folder + "/keytab";
  std::filesystem::create_directory(folder);
  std::filesystem::copy_file(Kdc::get()->file("server.keytab"), keytab);
  std::filesystem::copy_file(Kdc::get()->file("krb5.conf"), folder + "/krb5.conf");
  // It does not run as root.
  std::vector<std::string> as_user;
  if (::geteuid() == 0) {
    as_user = {"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"};
    Kdc::run({"chown", "-R", "postgres:postgres", folder});
  }
  const auto words = [&as_user](std::vector<std::string> more) {
    more.insert(more.begin(), as_user.begin(), as_user.end());
    return more;
  };
  const std::string data = folder + "/data";
  Kdc::run(words({programs + "initdb", "-D", data, "-U", "alice", "-A", "trust", "-N"}));
  Kdc::run(
      {"sh", "-c", "echo 'hostgssenc all all 127.0.0.1/32 gss include_realm=0' > " + data + "/pg_hba.conf"});
  int err = 0;
  std::uint16_t port = 0;
  {
    const Listener free = Listener::listen(loop, loopback_v4(), {}, err);
    port = free.local_address().port().value_or(0);
  }
  Process server(words({"env", "KRB5_CONFIG=" + folder + "/krb5.conf", "KRB5RCACHEDIR=" + folder,
                        programs + "postgres", "-D", data, "-p", std::to_string(port), "-k", folder, "-c",
                        "krb_server_keyfile=" + keytab, "-c", "listen_addresses=127.0.0.1"}));
  server.wait_for_error("ready to accept connections");
  Request<Stream> below = Stream::connect(loop, loopback_v4(port));
  Stream stream = fetch(below, err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST(error_of(stream.write("\0\0\0\x08\x04\xd2\x16\x30"sv)) == 0);
  std::vector<std::byte> answer(1);
  BOOST_TEST(error_of(stream.read(answer)) == 0);
  BOOST_TEST_REQUIRE(text_of(answer) == "G");
  Request<Stream> connecting = gssapi::connect(
      std::move(stream), {.target = "postgres@localhost", .messages = {.frame = gssapi::Frame::postgresql}});
  stream = fetch(connecting, err);
  BOOST_TEST_REQUIRE(err == 0, connecting.reason());
  BOOST_TEST(error_of(stream.write("\0\0\0\x26\0\x03\0\0user\0alice\0database\0postgres\0\0"sv)) == 0);
  std::string text;
  const auto read_until = [&](std::string_view wanted) {
    std::vector<std::byte> buffer(4096);
    while (text.find(wanted) == std::string::npos) {
      Request<ssize_t> reading = stream.read_some(buffer);
      const ssize_t got = fetch(reading, err);
      BOOST_TEST_REQUIRE(err == 0, text);
      text += text_of(std::span(buffer).first(static_cast<std::size_t>(got)));
    }
  };
  read_until("Z\0\0\0\5I"sv);
  text.clear();
  // A row of 100,000 bytes takes several messages.
  BOOST_TEST(error_of(stream.write("Q\0\0\0\x25select repeat('x', 100000) as x;\0"sv)) == 0);
  read_until("Z\0\0\0\5I"sv);
  BOOST_TEST(static_cast<std::size_t>(std::count(text.begin(), text.end(), 'x')) >= 100'000U);
  BOOST_TEST(error_of(stream.write("X\0\0\0\4"sv)) == 0);
  server.kill(SIGINT);
  server.finish();
  std::filesystem::remove_all(folder);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
