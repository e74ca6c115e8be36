#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <tsock/tls/tls.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/tls_fixture.hpp"

namespace tsock::test {

namespace {

using namespace std::chrono_literals;

struct TlsListenFixture : TlsFixture {
  struct Failure {
    Address peer;
    int err = 0;
    std::string reason = {};
  };
  const TlsAuthority& authority = tls_authority();
  tls::Context context = context_for(authority.server_options());
  tls::Context client_context = context_for(authority.client_options());
  std::vector<Failure> failures;

  Listener below() {
    int err = -1;
    Listener listener = Listener::listen(loop, loopback_v4(), {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    return listener;
  }
  layer::ListenOptions noting(layer::ListenOptions options = {}) {
    options.on_failure = [this](const Address& peer, int err, std::string_view reason) {
      failures.push_back({.peer = peer, .err = err, .reason = std::string(reason)});
    };
    return options;
  }
  Stream tcp(const Listener& listener) {
    Request<Stream> connecting = Stream::connect(loop, listener.local_address());
    int err = -1;
    Stream stream = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
  Request<Stream> client(const Listener& listener) {
    return tls::connect(tcp(listener), client_context, {.peer_name = "www.example.com"});
  }
  Stream finished(Request<Stream>& request) {
    int err = -1;
    Stream stream = fetch(request, err);
    BOOST_TEST_REQUIRE(err == 0, request.reason());
    return stream;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(tls_listen, TlsListenFixture)

BOOST_AUTO_TEST_CASE(many_clients_are_served_while_some_hang) {
  constexpr std::size_t many = 20;
  Listener listener = tls::listen(below(), context, noting({.handshake_time = 1h}));
  std::vector<Stream> servers;
  for_each_accept(listener, [&](Stream stream) { servers.push_back(std::move(stream)); });
  std::vector<Stream> hanging;
  std::vector<Request<Stream>> connecting;
  for (std::size_t i = 0; i < many; ++i) {
    hanging.push_back(tcp(listener));
    connecting.push_back(client(listener));
  }
  BOOST_TEST(run_until([&] { return servers.size() == many; }));
  for (Request<Stream>& each : connecting) BOOST_TEST(error_of(each) == 0);
  int err = -1;
  for (const Stream& each : servers) BOOST_TEST(tls::peer(each, err).version == "TLSv1.3");
  BOOST_TEST(failures.empty());
}

BOOST_AUTO_TEST_CASE(a_client_that_hangs_in_the_middle_ends_by_its_time) {
  Listener listener = tls::listen(below(), context, noting({.handshake_time = 1ms}));
  const Request<Stream> accepting = listener.accept();
  Stream hanging = tcp(listener);
  // The beginning of a record, of which nothing more comes.
  BOOST_TEST(error_of(hanging.write("\x16\x03\x01")) == 0);
  BOOST_TEST(run_until([&] { return !failures.empty(); }));
  BOOST_TEST(failures[0].err == ETIMEDOUT);
  BOOST_TEST(failures[0].peer.string() == hanging.local_address().string());
}

BOOST_AUTO_TEST_CASE(a_failure_is_told_with_peer_error_and_reason) {
  Listener listener = tls::listen(below(), context, noting());
  Request<Stream> accepting = listener.accept();
  Stream stream = tcp(listener);
  BOOST_TEST(error_of(stream.write("GET / HTTP/1.0\r\n\r\n")) == 0);
  BOOST_TEST(run_until([&] { return !failures.empty(); }));
  BOOST_TEST(failures[0].err == EPROTO);
  BOOST_TEST(failures[0].reason == "the peer speaks HTTP, not TLS");
  BOOST_TEST(failures[0].peer.string() == stream.local_address().string());
  Request<Stream> connecting = client(listener);
  const Stream server = finished(accepting);
  const Stream ours = finished(connecting);
}

BOOST_AUTO_TEST_CASE(the_function_reloads_certificates_and_open_connections_keep_theirs) {
  const Certificate old = authority.server();
  const Certificate renewed = authority.server();
  tls::Context current = context_for(tls::ServerOptions{.identities = {authority.identity(old)}});
  Listener listener = tls::listen(
      below(), [&] { return current; }, noting());
  int err = -1;
  Request<Stream> accepting = listener.accept();
  Request<Stream> connecting = client(listener);
  Stream server = finished(accepting);
  Stream ours = finished(connecting);
  BOOST_TEST(tls::peer(ours, err).chain.at(0) == old.pem());

  client_context = context_for(authority.client_options());  // which knows no session
  current = context_for(tls::ServerOptions{.identities = {authority.identity(renewed)}});
  accepting = listener.accept();
  connecting = client(listener);
  const Stream second_server = finished(accepting);
  const Stream second = finished(connecting);
  BOOST_TEST(tls::peer(second, err).chain.at(0) == renewed.pem());
  BOOST_TEST((send_through(ours, server, pattern(1000)) == pattern(1000)));
  BOOST_TEST(tls::peer(ours, err).chain.at(0) == old.pem());
}

BOOST_AUTO_TEST_CASE(a_function_that_gives_no_context_or_throws_costs_the_connection_only) {
  int calls = 0;
  Listener listener = tls::listen(
      below(),
      [&] {
        ++calls;
        if (calls == 1) return tls::Context();
        if (calls == 2) return client_context;
        if (calls == 3) throw std::string("no certificates today");
        return context;
      },
      noting());
  Request<Stream> accepting = listener.accept();
  for (std::size_t i = 0; i < 3; ++i) {
    const Stream stream = tcp(listener);
    BOOST_TEST(run_until([&] { return failures.size() == i + 1; }));
  }
  BOOST_TEST(failures[0].err == EINVAL);
  BOOST_TEST(failures[0].reason == "there is no TLS context");
  BOOST_TEST(failures[1].reason == "the TLS context is for the other side");
  BOOST_TEST(failures[2].err == ECONNABORTED);
  Request<Stream> connecting = client(listener);
  const Stream server = finished(accepting);
  const Stream ours = finished(connecting);
}

BOOST_AUTO_TEST_CASE(the_function_for_failures_may_destroy_the_listener) {
  Listener listener;
  layer::ListenOptions options;
  std::string seen;
  options.on_failure = [&](const Address&, int, std::string_view reason) {
    listener = Listener();
    seen = reason;
  };
  listener = tls::listen(below(), context, options);
  Request<Stream> accepting = listener.accept();
  Stream stream = tcp(listener);
  BOOST_TEST(error_of(stream.write("GET / HTTP/1.0\r\n\r\n")) == 0);
  BOOST_TEST(error_of(accepting) == ECANCELED);
  BOOST_TEST(seen == "the peer speaks HTTP, not TLS");
}

BOOST_AUTO_TEST_CASE(options_are_those_of_each_connection) {
  for (const bool has_function : {false, true}) {
    const tls::AcceptOptions each{.goodbye_time = 1ms};
    Listener listener = has_function ? tls::listen(
                                           below(), [this] { return context; }, noting(), each)
                                     : tls::listen(below(), context, noting(), each);
    bool is_quick = false;
    // A busy machine may take as long as the default once.
    for (int attempt = 0; attempt < 5 && !is_quick; ++attempt) {
      Request<Stream> accepting = listener.accept();
      Request<Stream> connecting = client(listener);
      Stream server = finished(accepting);
      const Stream ours = finished(connecting);
      const auto begin = Clock::now();
      BOOST_TEST(error_of(server.disconnect()) == 0);  // the client says nothing
      is_quick = Clock::now() - begin < tls::AcceptOptions().goodbye_time;
    }
    BOOST_TEST(is_quick);
  }
}

BOOST_AUTO_TEST_CASE(a_listener_that_goes_ends_its_handshakes) {
  auto listener = std::make_unique<Listener>(tls::listen(below(), context, noting()));
  const Request<Stream> accepting = listener->accept();
  Stream hanging = tcp(*listener);
  BOOST_TEST(error_of(hanging.write("\x16\x03\x01")) == 0);
  listener.reset();
  std::vector<std::byte> buffer(1);
  const int err = error_of(hanging.read(buffer));
  BOOST_TEST((err == EPIPE || err == ECONNRESET));
  BOOST_TEST(failures.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
