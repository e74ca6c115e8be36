// haproxy, nginx and curl tell who their clients are; microsocks, tinyproxy and ncat connect for us.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <csignal>
#include <memory>
#include <string>
#include <string_view>
#include <tsock/proxy/proxy.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/port_apart.hpp"
#include "support/process.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;

/// A server or a client of a proxy that is a program of its own.
struct ProxyPeerFixture : LoopFixture {
  TemporaryFolder folder;

  Listener listener() {
    int err = -1;
    Listener listener = Listener::listen(loop, loopback_v4(), {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    return listener;
  }
  static std::string port_of(const Listener& listener) {
    return std::to_string(listener.local_address().port().value_or(0));
  }
  Stream finished(Request<Stream>& request) {
    int err = -1;
    Stream stream = fetch(request, err);
    BOOST_TEST_REQUIRE(err == 0, request.reason());
    return stream;
  }
  /// Connects as soon as somebody listens there.
  Stream reached(const std::string& port) {
    const auto until = Clock::now() + guard_time;
    for (;;) {
      int err = -1;
      Request<Stream> connecting =
          Stream::connect(loop, loopback_v4(static_cast<std::uint16_t>(std::stoi(port))));
      Stream stream = fetch(connecting, err);
      if (err == 0) return stream;
      BOOST_TEST_REQUIRE(err == ECONNREFUSED);
      BOOST_TEST_REQUIRE((Clock::now() < until));
      Request<void> pause = loop.sleep(std::chrono::milliseconds(10));
      wait_for(pause);
    }
  }
  std::string read_line(Stream& stream) {
    Request<Pdu> reading = stream.readv_pdu(framing::line{.max_body = 1000});
    int err = -1;
    const Pdu line = fetch(reading, err);
    BOOST_TEST_REQUIRE(err == 0, reading.reason());
    return text_of(line.body());
  }
  /// Both ends of what a proxy has connected say a line.
  void talk(Stream& client, Stream& server) {
    Request<ssize_t> writing = client.write("question\n");
    BOOST_TEST(read_line(server) == "question");
    BOOST_TEST(error_of(writing) == 0);
    writing = server.write("answer\n");
    BOOST_TEST(read_line(client) == "answer");
    BOOST_TEST(error_of(writing) == 0);
  }
  std::string haproxy_file(const std::string& frontend, const std::string& backend) const {
    return folder.write(
        "haproxy.cfg",
        "global\n  log stderr local0\ndefaults\n  mode tcp\n  timeout connect 20s\n"
        "  timeout client 60s\n  timeout server 60s\n"
        "frontend front\n  bind 127.0.0.1:" +
            frontend + "\n  default_backend back\nbackend back\n  server one 127.0.0.1:" + backend + "\n");
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(proxy_peer, ProxyPeerFixture)

BOOST_DATA_TEST_CASE_F(ProxyPeerFixture, haproxy_tells_who_the_client_is,
                       data::make({"send-proxy", "send-proxy-v2",
                                   "send-proxy-v2 proxy-v2-options crc32c,unique-id"}),
                       option) {
  if (!has_program("haproxy")) return;
  Listener listening = proxy::listen(listener());
  const std::string port = std::to_string(port_apart());
  const Process haproxy({"haproxy", "-f", haproxy_file(port, port_of(listening) + " " + option)});
  Request<Stream> accepting = listening.accept();
  Stream client = reached(port);
  Stream server = finished(accepting);
  BOOST_TEST(server.remote_address() == client.local_address());
  BOOST_TEST(server.local_address() == client.remote_address());
  BOOST_TEST(proxy::proxy_address(server) != client.local_address());
  const proxy::Header* const header = proxy::header(server);
  BOOST_TEST_REQUIRE(header != nullptr);
  const bool is_v2 = std::string_view(option) != "send-proxy";
  BOOST_TEST((header->version == (is_v2 ? proxy::Header::Version::v2 : proxy::Header::Version::v1)));
  if (std::string_view(option).find("crc32c") != std::string_view::npos)
    BOOST_TEST((header->find(proxy::Tlv::crc32c) != nullptr));
  talk(client, server);
}

BOOST_DATA_TEST_CASE_F(ProxyPeerFixture, haproxy_believes_the_client_that_we_name, data::make({false, true}),
                       is_v2) {
  if (!has_program("haproxy")) return;
  Listener listening = proxy::listen(listener());
  const std::string port = std::to_string(port_apart());
  // What it takes from us, it tells us again.
  const Process haproxy(
      {"haproxy", "-f", haproxy_file(port + " accept-proxy", port_of(listening) + " send-proxy-v2")});
  Request<Stream> accepting = listening.accept();
  Stream client = reached(port);
  int err = -1;
  const proxy::Header header{.version = is_v2 ? proxy::Header::Version::v2 : proxy::Header::Version::v1,
                             .source = Address::parse("[2001:db8::1]:4096", err),
                             .destination = Address::parse("[2001:db8::2]:443", err)};
  Request<ssize_t> sending = proxy::send_header(client, header, {.checksum = true});
  BOOST_TEST(error_of(sending) == 0);
  Stream server = finished(accepting);
  BOOST_TEST(server.remote_address() == header.source);
  BOOST_TEST(server.local_address() == header.destination);
  talk(client, server);
}

BOOST_AUTO_TEST_CASE(nginx_tells_who_the_client_is) {
  if (!has_program("nginx")) return;
  Listener listening = proxy::listen(listener());
  const std::string port = std::to_string(port_apart());
  const std::string file = folder.write(
      "nginx.conf",
      "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\ndaemon off;\nmaster_process off;\n"
      "pid " +
          folder.file("pid") + ";\nerror_log stderr;\nevents {}\nstream { server { listen 127.0.0.1:" + port +
          "; proxy_pass 127.0.0.1:" + port_of(listening) + "; proxy_protocol on; } }\n");
  Process check({"nginx", "-t", "-e", "stderr", "-c", file});
  if (check.finish() != 0) {
    BOOST_TEST_MESSAGE("skipped: nginx has no stream module: " << check.error());
    return;
  }
  const Process nginx({"nginx", "-e", "stderr", "-c", file});
  Request<Stream> accepting = listening.accept();
  Stream client = reached(port);
  Stream server = finished(accepting);
  BOOST_TEST(server.remote_address() == client.local_address());
  BOOST_TEST(server.local_address() == client.remote_address());
  talk(client, server);
}

BOOST_AUTO_TEST_CASE(curl_tells_who_it_is) {
  if (!has_program("curl")) return;
  Listener listening = proxy::listen(listener());
  Request<Stream> accepting = listening.accept();
  Process curl({"curl", "-s", "--haproxy-protocol", "http://127.0.0.1:" + port_of(listening) + "/"});
  Stream server = finished(accepting);
  BOOST_TEST(server.remote_address() == proxy::proxy_address(server));
  BOOST_TEST(read_line(server) == "GET / HTTP/1.1");
  BOOST_TEST(error_of(server.write("HTTP/1.0 200 OK\r\n\r\nanswer")) == 0);
  server.abort();
  curl.wait();
}

BOOST_AUTO_TEST_CASE(microsocks_connects_with_user_and_password) {
  if (!has_program("microsocks")) return;
  Listener target = listener();
  const std::string port = std::to_string(port_apart());
  const Process microsocks({"microsocks", "-i", "127.0.0.1", "-p", port, "-u", "alice", "-P", "secret"});
  for (const char* host : {"127.0.0.1", "localhost"}) {
    Request<Stream> connecting = proxy::socks5_connect(
        reached(port), {.host = host, .port = target.local_address().port().value_or(0)},
        {.user = "alice", .password = "secret"});
    Request<Stream> accepting = target.accept();
    Stream client = finished(connecting);
    Stream server = finished(accepting);
    talk(client, server);
  }
  const std::uint16_t closed = port_apart();
  Request<Stream> connecting = proxy::socks5_connect(reached(port), {.host = "127.0.0.1", .port = closed},
                                                     {.user = "alice", .password = "secret"});
  BOOST_TEST(error_of(connecting) == ECONNREFUSED);
  connecting = proxy::socks5_connect(reached(port), {.host = "127.0.0.1", .port = closed},
                                     {.user = "alice", .password = "guess"});
  BOOST_TEST(error_of(connecting) == EACCES);
  connecting = proxy::socks5_connect(reached(port), {.host = "127.0.0.1", .port = closed});
  BOOST_TEST(error_of(connecting) == EACCES);
}

BOOST_AUTO_TEST_CASE(tinyproxy_connects_with_user_and_password) {
  if (!has_program("tinyproxy")) return;
  Listener target = listener();
  const std::string port = std::to_string(port_apart());
  const std::string file = folder.write(
      "tinyproxy.conf", "Port " + port + "\nListen 127.0.0.1\nTimeout 60\nBasicAuth alice secret\n");
  const Process tinyproxy({"tinyproxy", "-d", "-c", file});
  const proxy::Target here{.host = "localhost", .port = target.local_address().port().value_or(0)};
  Request<Stream> connecting =
      proxy::http_connect(reached(port), here, {.user = "alice", .password = "secret"});
  Request<Stream> accepting = target.accept();
  Stream client = finished(connecting);
  Stream server = finished(accepting);
  talk(client, server);
  connecting = proxy::http_connect(reached(port), here, {.user = "alice", .password = "guess"});
  BOOST_TEST(error_of(connecting) == EACCES);
  BOOST_TEST(!connecting.reason().empty());
  const std::uint16_t closed = port_apart();
  connecting = proxy::http_connect(reached(port), {.host = "127.0.0.1", .port = closed},
                                   {.user = "alice", .password = "secret"});
  BOOST_TEST(error_of(connecting) == ECONNREFUSED);
}

BOOST_AUTO_TEST_CASE(ncat_connects_with_user_and_password) {
  if (!has_program("ncat")) return;
  Listener target = listener();
  const std::string port = std::to_string(port_apart());
  const Process ncat(
      {"ncat", "-l", "-k", "127.0.0.1", port, "--proxy-type", "http", "--proxy-auth", "alice:secret"});
  const proxy::Target here{.host = "127.0.0.1", .port = target.local_address().port().value_or(0)};
  Request<Stream> connecting =
      proxy::http_connect(reached(port), here, {.user = "alice", .password = "secret"});
  Request<Stream> accepting = target.accept();
  Stream client = finished(connecting);
  Stream server = finished(accepting);
  talk(client, server);
  connecting = proxy::http_connect(reached(port), here);
  BOOST_TEST(error_of(connecting) == EACCES);
  BOOST_TEST(connecting.reason().find("it wants user and password") != std::string_view::npos,
             connecting.reason());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
