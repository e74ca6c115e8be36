// Connecting through SOCKS and HTTP proxies, against a peer that the test writes.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/proxy/proxy.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;
using proxy::Target;

const std::string method_none("\x05\x00", 2);
const std::string method_user("\x05\x02", 2);
const std::string user_accepted("\x01\x00", 2);
const std::string bound_ipv4("\x05\x00\x00\x01\x7f\x00\x00\x01\x1f\x90", 10);
const std::string bound_ipv6 = std::string("\x05\x00\x00\x04", 4) + std::string(18, '\x07');
const std::string bound_name = std::string("\x05\x00\x00\x03\x04", 5) + "nameXX";

/// What a proxy has said, and what came of it.
struct Connected {
  int err = -1;
  std::string reason = {};
  std::string sent = {};  ///< by us
  std::string rest = {};  ///< what the stream gives up to its end
};

struct ProxyConnectFixture : LoopFixture {
  using Begin = std::function<Request<Stream>(Stream)>;

  /// A proxy that says all this at once, and ends.
  Connected hear(const Begin& begin, const std::string& said, std::size_t piece = 1U << 20U) {
    auto pair = memory_stream_pair(loop, {.max_transfer = piece});
    Stream& peer = pair.second;
    Request<Stream> connecting = begin(std::move(pair.first));
    Connected result;
    std::vector<std::byte> buffer(1000);
    Request<ssize_t> hearing;
    const std::function<void()> hear_on = [&] {
      hearing.restart([&] { return peer.read_some(buffer); });
      hearing.set_callback([&](Request<ssize_t>& request) {
        int err = -1;
        const ssize_t got = request.recv(err);
        if (err != 0) return;
        result.sent += text_of(std::span(buffer).first(static_cast<std::size_t>(got)));
        hear_on();
      });
    };
    hear_on();
    Request<ssize_t> saying;
    if (!said.empty()) saying = peer.write(said);
    Request<void> ending = peer.shutdown_write();
    ending.set_callback([](Request<void>&) {});
    Stream stream = fetch(connecting, result.err);
    result.reason = connecting.reason();
    if (result.err != 0) return result;
    std::vector<std::byte> rest(1000);
    for (;;) {
      Request<ssize_t> reading = stream.read_some(rest);
      int err = -1;
      const ssize_t got = fetch(reading, err);
      if (err != 0) return result;
      result.rest += text_of(std::span(rest).first(static_cast<std::size_t>(got)));
    }
  }
  static Begin socks(const Target& target, const proxy::Socks5Options& options = {}) {
    return [=](Stream below) { return proxy::socks5_connect(std::move(below), target, options); };
  }
  static Begin http(const Target& target, const proxy::HttpOptions& options = {}) {
    return [=](Stream below) { return proxy::http_connect(std::move(below), target, options); };
  }
};

const Target example{.host = "example.org", .port = 443};
const std::string asked_for_example = std::string("\x05\x01\x00\x03\x0b", 5) + "example.org" + "\x01\xbb";

}  // namespace

BOOST_FIXTURE_TEST_SUITE(proxy_socks5, ProxyConnectFixture)

BOOST_AUTO_TEST_CASE(a_name_goes_to_the_proxy_and_what_follows_the_reply_is_kept) {
  for (const std::string& bound : {bound_ipv4, bound_ipv6, bound_name}) {
    for (const std::size_t piece : {1U, 3U, 1000U}) {
      const Connected heard = hear(socks(example), method_none + bound + "220 hello", piece);
      BOOST_TEST_REQUIRE(heard.err == 0, heard.reason);
      BOOST_TEST(heard.sent == std::string("\x05\x01\x00", 3) + asked_for_example);
      BOOST_TEST(heard.rest == "220 hello");
    }
  }
}

BOOST_AUTO_TEST_CASE(addresses_go_as_addresses) {
  Connected heard = hear(socks({.host = "192.0.2.1", .port = 80}), method_none + bound_ipv4);
  BOOST_TEST(heard.sent.substr(3) == std::string("\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50", 10));
  int err = -1;
  heard = hear(socks(Target::of(Address::parse("[2001:db8::1]:80", err))), method_none + bound_ipv4);
  BOOST_TEST(heard.err == 0);
  BOOST_TEST(heard.sent.substr(3) == std::string("\x05\x01\x00\x04\x20\x01\x0d\xb8", 8) +
                                         std::string(11, '\0') + std::string("\x01\x00\x50", 3));
}

BOOST_AUTO_TEST_CASE(user_and_password_are_sent_where_they_are_asked_for) {
  const proxy::Socks5Options options{.user = "alice", .password = "secret"};
  Connected heard = hear(socks(example, options), method_user + user_accepted + bound_ipv4 + "rest", 1);
  BOOST_TEST(heard.err == 0, heard.reason);
  BOOST_TEST(heard.sent == std::string("\x05\x02\x00\x02", 4) + "\x01\x05" + "alice" + "\x06" + "secret" +
                               asked_for_example);
  BOOST_TEST(heard.rest == "rest");
  heard = hear(socks(example, options), method_none + bound_ipv4);
  BOOST_TEST(heard.err == 0);
  BOOST_TEST(heard.sent == std::string("\x05\x02\x00\x02", 4) + asked_for_example);
  heard = hear(socks(example, options), method_user + std::string("\x01\x01", 2));
  BOOST_TEST(heard.err == EACCES);
  BOOST_TEST(heard.reason == "the SOCKS proxy refuses user and password");
  BOOST_TEST(heard.sent.find("example") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_proxy_that_takes_no_offered_method_is_told_in_words) {
  Connected heard = hear(socks(example), "\x05\xff");
  BOOST_TEST(heard.err == EACCES);
  BOOST_TEST(heard.reason == "the SOCKS proxy wants an authentication, such as user and password");
  heard = hear(socks(example, {.user = "alice", .password = {}}), "\x05\xff");
  BOOST_TEST(heard.err == EACCES);
  heard = hear(socks(example), method_user);
  BOOST_TEST(heard.err == EPROTO);
  BOOST_TEST(heard.reason == "the SOCKS proxy has chosen a method that was not offered");
}

BOOST_AUTO_TEST_CASE(every_refusal_has_an_errno_value_and_words) {
  const int expected[] = {EIO,          EACCES,     ENETUNREACH,  EHOSTUNREACH, ECONNREFUSED,
                          EHOSTUNREACH, EOPNOTSUPP, EAFNOSUPPORT, EPROTO};
  char code = 0;
  for (const int err : expected) {
    const std::string refusal = std::string("\x05") + ++code + std::string("\0\x01\0\0\0\0\0\0", 8);
    const Connected heard = hear(socks(example), method_none + refusal);
    BOOST_TEST(heard.err == err, int{code});
    BOOST_TEST(!heard.reason.empty());
    // Some cut it behind the code.
    BOOST_TEST(hear(socks(example), method_none + refusal.substr(0, 2)).err == err);
  }
}

BOOST_AUTO_TEST_CASE(a_reply_that_is_cut_at_any_byte_is_eproto) {
  const proxy::Socks5Options options{.user = "alice", .password = "secret"};
  for (const std::string& bound : {bound_ipv4, bound_ipv6, bound_name}) {
    const std::string all = method_user + user_accepted + bound;
    for (std::size_t size = 0; size < all.size(); ++size) {
      const Connected heard = hear(socks(example, options), all.substr(0, size));
      BOOST_TEST(heard.err == EPROTO);
      BOOST_TEST(heard.reason == "the SOCKS proxy has closed before it had answered");
    }
  }
}

BOOST_AUTO_TEST_CASE(garbage_is_told_in_words) {
  for (const std::string& garbage :
       {std::string("HTTP/1.1 400 Bad Request\r\n"), std::string("\x04\x5a", 2), method_none + "HTTP",
        method_none + std::string("\x05\x00\x00\x02\x01", 5)}) {
    const Connected heard = hear(socks(example), garbage);
    BOOST_TEST(heard.err == EPROTO);
    BOOST_TEST(!heard.reason.empty());
  }
  BOOST_TEST(hear(socks(example, {.user = "a", .password = "b"}), method_user + "HT").err == EPROTO);
}

BOOST_AUTO_TEST_CASE(what_a_proxy_cannot_be_asked_is_einval) {
  const std::string long_text(256, 'x');
  for (const Target& target :
       {Target{.host = "", .port = 1}, Target{.host = "a", .port = 0}, Target{.host = long_text, .port = 1},
        Target{.host = "a b", .port = 1}, Target{.host = "a\r\nb", .port = 1},
        Target{.host = "[::1]", .port = 1}, Target{.host = "a:1", .port = 1},
        Target{.host = "fe80::1%eth0", .port = 1}, Target{.host = std::string("a\0b", 3), .port = 1},
        Target::of(Address::unix_unnamed())}) {
    for (const Begin& begin : {socks(target), http(target)}) {
      const Connected heard = hear(begin, {});
      BOOST_TEST(heard.err == EINVAL);
      BOOST_TEST(!heard.reason.empty());
      BOOST_TEST(heard.sent.empty());
    }
  }
  BOOST_TEST(hear(socks(example, {.user = long_text, .password = {}}), {}).err == EINVAL);
  BOOST_TEST(hear(socks(example, {.user = "a", .password = long_text}), {}).err == EINVAL);
  BOOST_TEST(hear(http(example, {.user = "a:b", .password = "c"}), {}).err == EINVAL);
  BOOST_TEST(hear(http(example, {.user = "a", .password = "b\r\nc: d"}), {}).err == EINVAL);
}

BOOST_DATA_TEST_CASE_F(ProxyConnectFixture, silence_is_ended_by_deadline_and_cancel,
                       data::make({false, true}) * data::make({false, true}), cancels, is_http) {
  auto [ours, peer] = tcp_pair();
  Request<Stream> connecting = (is_http ? http(example) : socks(example))(std::move(ours));
  loop.run_until_idle();
  if (cancels) {
    connecting.cancel();
  } else {
    connecting.set_timeout(1ms);
  }
  BOOST_TEST(error_of(connecting) == (cancels ? ECANCELED : ETIMEDOUT));
}

BOOST_DATA_TEST_CASE_F(ProxyConnectFixture, anything_may_be_destroyed_in_the_callback,
                       data::make({false, true}), is_http) {
  auto [ours, peer] = tcp_pair();
  Request<ssize_t> saying =
      peer.write(is_http ? std::string("HTTP/1.1 200 OK\r\n\r\nrest") : method_none + bound_ipv4 + "rest");
  std::optional<Request<Stream>> connecting((is_http ? http(example) : socks(example))(std::move(ours)));
  bool called = false;
  connecting->set_callback([&, held = &peer](Request<Stream>& request) {
    int err = -1;
    const Stream stream = request.recv(err);
    BOOST_TEST(err == 0);
    connecting.reset();
    *held = Stream();
    called = true;
  });
  BOOST_TEST(run_until([&] { return called; }));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(proxy_http, ProxyConnectFixture)

BOOST_AUTO_TEST_CASE(any_2xx_is_success_and_what_follows_is_kept) {
  for (const std::string& head :
       {std::string("HTTP/1.1 200 Connection established\r\n\r\n"),
        std::string("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"), std::string("HTTP/1.1 299\r\n\r\n"),
        std::string("HTTP/1.1 204 \nVia: x\n\n"),
        std::string("HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")}) {
    for (const std::size_t piece : {1U, 3U, 10000U}) {
      const Connected heard = hear(http(example), head + "\r\n\n220 hello", piece);
      BOOST_TEST_REQUIRE(heard.err == 0, heard.reason);
      BOOST_TEST(heard.sent == "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n");
      BOOST_TEST(heard.rest == "\r\n\n220 hello");
    }
  }
}

BOOST_AUTO_TEST_CASE(credentials_and_ipv6_are_written_as_http_has_them) {
  const std::string ok = "HTTP/1.1 200 OK\r\n\r\n";
  Connected heard =
      hear(http({.host = "::1", .port = 80}, {.user = "Aladdin", .password = "open sesame"}), ok);
  BOOST_TEST(heard.sent ==
             "CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n"
             "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
  heard = hear(http(example, {.user = "a", .password = ""}), ok);
  BOOST_TEST(heard.sent.find("Basic YTo=\r\n") != std::string::npos);
  heard = hear(http(example, {.user = "a", .password = "b"}), ok);
  BOOST_TEST(heard.sent.find("Basic YTpi\r\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_refusal_has_an_errno_value_and_the_status_line) {
  const std::pair<const char*, int> cases[] = {
      {"403 Forbidden", EACCES},         {"404 Not Found", EHOSTUNREACH},
      {"502 Bad Gateway", EHOSTUNREACH}, {"503 Unavailable", EHOSTUNREACH},
      {"504 Timeout", EHOSTUNREACH},     {"500 Unable to connect", ECONNREFUSED},
      {"301 Moved", ECONNREFUSED},       {"101 Switching", ECONNREFUSED},
      {"405 Not Allowed", ECONNREFUSED}};
  for (const auto& [status, err] : cases) {
    const Connected heard = hear(http(example), std::string("HTTP/1.1 ") + status + "\r\n\r\n<html>");
    BOOST_TEST(heard.err == err, status);
    BOOST_TEST(heard.reason == std::string("the proxy answers \"") + status + '"');
  }
  Connected heard = hear(
      http(example), "HTTP/1.1 407 Auth\x1b[2J\r\nX: y\r\nproxy-AUTHENTICATE:  Basic realm=\"x\"\r\n\r\n");
  BOOST_TEST(heard.err == EACCES);
  BOOST_TEST(heard.reason ==
             "the proxy answers \"407 Auth?[2J\": it wants user and password (Basic realm=\"x\")");
  heard = hear(http(example, {.user = "a", .password = "secret"}), "HTTP/1.1 407 Auth\r\n\r\n");
  BOOST_TEST(heard.reason == "the proxy answers \"407 Auth\": it refuses user and password");
}

BOOST_AUTO_TEST_CASE(a_reply_that_is_cut_at_any_byte_is_eproto) {
  const std::string all = "HTTP/1.1 200 OK\r\nVia: 1.1 proxy\r\n\r\n";
  for (std::size_t size = 0; size < all.size(); ++size) {
    const Connected heard = hear(http(example), all.substr(0, size));
    BOOST_TEST(heard.err == EPROTO);
    BOOST_TEST(heard.reason == "the proxy has closed before it had answered");
  }
}

BOOST_DATA_TEST_CASE_F(ProxyConnectFixture, garbage_is_told_in_words,
                       data::make({"SSH-2.0-OpenSSH\r\n", "\x05\x01", "HTTP/2 200\r\n\r\n",
                                   "HTTP/1.1\r\n\r\n", "HTTP/1.1 20\r\n\r\n", "HTTP/1.1 2000\r\n\r\n",
                                   "HTTP/1.x 200\r\n\r\n", "HTTP/1.1  200\r\n\r\n", "HTTP/1.1 +20\r\n\r\n",
                                   "HTTP/1.1 600 No\r\n\r\n"}),
                       text) {
  const Connected heard = hear(http(example), text);
  BOOST_TEST(heard.err == EPROTO);
  BOOST_TEST(!heard.reason.empty());
}

BOOST_AUTO_TEST_CASE(a_head_above_the_limit_is_refused) {
  const proxy::HttpOptions options{.most_reply = 100};
  const std::string begin = "HTTP/1.1 200 OK\r\nX: ";
  const std::string fits = begin + std::string(100 - 4 - begin.size(), 'x') + "\r\n\r\n";
  BOOST_TEST(hear(http(example, options), fits).err == 0);
  BOOST_TEST(
      hear(http(example, options), begin + std::string(101 - 4 - begin.size(), 'x') + "\r\n\r\n").err ==
      EMSGSIZE);
  BOOST_TEST(hear(http(example, options), begin + std::string(200, 'x'), 1).err == EMSGSIZE);
  BOOST_TEST(hear(http(example), "HTTP/1.1 100 Continue\r\nX: " + std::string(9000, 'x') +
                                     "\r\n\r\nHTTP/1.1 102 x\r\nX: " + std::string(9000, 'x') + "\r\n\r\n")
                 .err == EMSGSIZE);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
