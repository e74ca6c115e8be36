// Passwords for proxies stand in memory no longer than they are needed.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <string>
#include <string_view>
#include <tsock/proxy/proxy.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/memory_scan.hpp"
#include "support/told_by_loop.hpp"

namespace tsock::test {

namespace data = boost::unit_test::data;
using boost::unit_test::precondition;

namespace {

constexpr std::size_t proxy_secret_sizes[] = {15, 48, 200};

struct ProxySecretFixture : LoopFixture {
  std::pair<Stream, Stream> pair = tcp_pair();

  // What the proxy of a test has read would be found, too.
  ProxySecretFixture() { BOOST_TEST(pair.second.set_options({.max_read_ahead = 0}) == 0); }

  Request<Stream> ask_socks(const MarkedSecret& secret) {
    proxy::Socks5Options options{.user = "alice", .password = secret.text()};
    Request<Stream> connecting =
        proxy::socks5_connect(std::move(pair.first), {.host = "example.org", .port = 80}, options);
    MarkedSecret::wipe(options.password);
    return connecting;
  }
  void read(std::size_t size) {
    std::vector<std::byte> bytes(size);
    BOOST_TEST(error_of(pair.second.read(bytes)) == 0);
  }
  void answer(std::string_view text) { BOOST_TEST(error_of(pair.second.write(text)) == 0); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(proxy_secrets, ProxySecretFixture, *precondition(memory_can_be_scanned))

BOOST_DATA_TEST_CASE_F(ProxySecretFixture, socks_gives_a_password_to_the_proxy_alone,
                       data::make(proxy_secret_sizes), size) {
  const MarkedSecret secret(size);
  const Request<Stream> connecting = ask_socks(secret);
  read(4);
  BOOST_TEST(secret.copies() != nowhere);
  answer(std::string_view("\x05\x02", 2));
  read(1);  // of the password's message
  BOOST_TEST(secret.copies() == nowhere);
}

BOOST_DATA_TEST_CASE_F(ProxySecretFixture, http_gives_a_password_to_the_proxy_alone,
                       data::make(proxy_secret_sizes), size) {
  const MarkedSecret secret(size);
  proxy::HttpOptions options{.user = "alice", .password = secret.text()};
  Request<Stream> connecting =
      proxy::http_connect(std::move(pair.first), {.host = "example.org", .port = 80}, options);
  MarkedSecret::wipe(options.password);
  read(1);
  BOOST_TEST(secret.copies() == nowhere);
  BOOST_TEST(secret.copies_in_base64("alice:") == nowhere);
}

BOOST_DATA_TEST_CASE_F(ProxySecretFixture, a_password_that_was_not_sent_is_kept_nowhere,
                       data::make(proxy_secret_sizes), size) {
  const MarkedSecret secret(size);
  {
    const Request<Stream> connecting = ask_socks(secret);
    answer(std::string_view("\x05\x00", 2));
    read(4 + 1);
  }
  BOOST_TEST(secret.copies() == nowhere);
}

BOOST_DATA_TEST_CASE_F(ProxySecretFixture, a_password_for_a_proxy_is_told_nowhere, data::make({false, true}),
                       is_http) {
  const MarkedSecret secret(15);
  ToldByLoop told(*this);
  Request<Stream> connecting;
  const proxy::Target target{.host = "example.org", .port = 80};
  secret.lend([&](std::string_view password) {
    const std::string text(password);
    connecting =
        is_http ? proxy::http_connect(std::move(pair.first), target, {.user = "alice", .password = text})
                : proxy::socks5_connect(std::move(pair.first), target, {.user = "alice", .password = text});
  });
  told.ask();
  if (is_http) {
    read(1);
    answer("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n");
  } else {
    read(4);
    answer(std::string_view("\x05\x02", 2));
    read(1);
    answer(std::string_view("\x01\x01", 2));
  }
  BOOST_TEST(error_of(connecting) == EACCES);
  told.add(connecting.reason());
  const std::string text = told.end();
  BOOST_TEST(text.find("user and password") != std::string::npos);
  secret.lend([&text](std::string_view password) { BOOST_TEST((text.find(password) == std::string::npos)); });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
