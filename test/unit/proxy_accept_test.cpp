// Connections that come with a PROXY header, over pairs and through a listener.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/proxy/proxy.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/system.hpp"
#ifdef TSOCK_WITH_TLS
#include "support/tls_fixture.hpp"
#endif

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;
using Presence = proxy::AcceptOptions::Presence;
using Untrusted = proxy::AcceptOptions::Untrusted;

constexpr std::string_view proxied_line = "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";
constexpr StreamKind proxied_kinds[] = {StreamKind::tcp, StreamKind::unix_socket, StreamKind::memory};

proxy::Network network_of(const char* text) {
  int err = -1;
  const proxy::Network network = proxy::Network::parse(text, err);
  BOOST_TEST_REQUIRE(err == 0);
  return network;
}

proxy::Header header_v2() {
  int err = -1;
  return {.source = Address::parse("[2001:db8::1]:4096", err),
          .destination = Address::parse("[2001:db8::2]:443", err),
          .tlvs = {{.type = proxy::Tlv::authority, .value = bytes_of("example.org")}}};
}

struct ProxyAcceptFixture : LoopFixture {
  Stream accepted(Request<Stream>& request) {
    int err = -1;
    Stream stream = fetch(request, err);
    BOOST_TEST_REQUIRE(err == 0, request.reason());
    return stream;
  }
  std::string read_text(Stream& stream, std::size_t size) {
    std::vector<std::byte> bytes(size);
    int err = -1;
    Request<ssize_t> reading = stream.read(bytes);
    fetch(reading, err);
    BOOST_TEST(err == 0, reading.reason());
    return text_of(bytes);
  }
  /// What the peer sends before it ends its side.
  int error_behind(const std::string& text, const proxy::AcceptOptions& options = {},
                   std::string* reason = nullptr) {
    auto [ours, peer] = tcp_pair();
    if (!text.empty()) BOOST_TEST(error_of(peer.write(text)) == 0);
    BOOST_TEST(error_of(peer.shutdown_write()) == 0);
    Request<Stream> accepting = proxy::accept(std::move(ours), options);
    const int err = error_of(accepting);
    if (reason != nullptr) *reason = accepting.reason();
    return err;
  }
  Listener listener() {
    int err = -1;
    Listener listener = Listener::listen(loop, loopback_v4(), {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    return listener;
  }
  Stream connected(const Listener& listener) {
    Request<Stream> connecting = Stream::connect(loop, listener.local_address());
    return accepted(connecting);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(proxy_accept, ProxyAcceptFixture)

BOOST_DATA_TEST_CASE_F(ProxyAcceptFixture, the_addresses_are_those_of_the_header_and_no_byte_is_lost,
                       data::make(proxied_kinds), kind) {
  auto [ours, peer] = stream_pair(kind);
  const Address before = ours.remote_address();
  Request<ssize_t> writing = peer.write(std::string(proxied_line) + "hello");
  Request<Stream> accepting = proxy::accept(std::move(ours));
  Stream stream = accepted(accepting);
  BOOST_TEST(stream.remote_address().to_string() == "192.0.2.1:56324");
  BOOST_TEST(stream.local_address().to_string() == "192.0.2.2:443");
  int err = -1;
  static_cast<void>(stream.tcp_info(err));
  BOOST_TEST(err == (kind == StreamKind::tcp && !uses_posix_alone() ? 0 : ENOTSUP));
  BOOST_TEST(proxy::proxy_address(stream) == before);
  BOOST_TEST_REQUIRE(proxy::header(stream) != nullptr);
  BOOST_TEST((proxy::header(stream)->version == proxy::Header::Version::v1));
  BOOST_TEST(read_text(stream, 5) == "hello");
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST((send_through(stream, peer, pattern(100000)) == pattern(100000)));
  BOOST_TEST((send_through(peer, stream, pattern(100001, 1)) == pattern(100001, 1)));
  stream.abort();
  BOOST_TEST(proxy::header(stream) == nullptr);
}

BOOST_AUTO_TEST_CASE(a_socket_with_a_header_remains_a_socket) {
  auto [ours, peer] = unix_pair();
  const NativeSocket socket = ours.native_handle();
  Request<ssize_t> writing = proxy::send_header(peer, header_v2());
  Request<Stream> accepting = proxy::accept(std::move(ours));
  Stream stream = accepted(accepting);
  int err = -1;
  BOOST_TEST(fetch(writing, err) == 16 + 36 + 14);
  BOOST_TEST(stream.native_handle() == socket);
  static_cast<void>(stream.peer_credentials(err));
  BOOST_TEST((err == 0 || (err == ENOTSUP && uses_posix_alone())));
  BOOST_TEST(stream.set_options({.send_buffer = 10000}) == 0);
  std::vector<std::byte> unread;
  const UniqueSocket released = stream.release_socket(unread, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(released.get() == socket);
  auto [left, right] = memory_pair();
  writing = proxy::send_header(right, header_v2());
  accepting = proxy::accept(std::move(left));
  stream = accepted(accepting);
  BOOST_TEST(stream.native_handle() == invalid_socket);
  BOOST_TEST(proxy::header(stream)->authority().value_or("") == "example.org");
}

BOOST_AUTO_TEST_CASE(a_header_in_single_bytes_is_read) {
  for (const proxy::Header::Version version : {proxy::Header::Version::v1, proxy::Header::Version::v2}) {
    proxy::Header header = header_v2();
    header.version = version;
    auto [ours, peer] = memory_stream_pair(loop, {.max_transfer = 1});
    Request<ssize_t> writing = proxy::send_header(peer, header, {.checksum = true});
    Request<Stream> accepting = proxy::accept(std::move(ours));
    Stream stream = accepted(accepting);
    BOOST_TEST(error_of(writing) == 0);
    BOOST_TEST(stream.remote_address() == header.source);
  }
}

BOOST_AUTO_TEST_CASE(local_and_unknown_keep_the_addresses) {
  for (const bool is_local : {true, false}) {
    auto [ours, peer] = tcp_pair();
    const Address remote = ours.remote_address();
    const Address local = ours.local_address();
    const proxy::Header header{
        .command = is_local ? proxy::Header::Command::local : proxy::Header::Command::proxy,
        .transport = proxy::Header::Transport::unspecified};
    Request<ssize_t> writing = proxy::send_header(peer, header);
    Request<Stream> accepting = proxy::accept(std::move(ours));
    Stream stream = accepted(accepting);
    BOOST_TEST(stream.remote_address() == remote);
    BOOST_TEST(stream.local_address() == local);
    BOOST_TEST_REQUIRE(proxy::header(stream) != nullptr);
    BOOST_TEST((proxy::header(stream)->command == header.command));
  }
}

BOOST_AUTO_TEST_CASE(a_connection_without_the_header_is_refused_in_words) {
  std::string reason;
  BOOST_TEST(error_behind("GET / HTTP/1.1\r\n", {}, &reason) == ENOMSG);
  BOOST_TEST(reason == "the connection does not begin with a PROXY header");
  BOOST_TEST(error_behind("", {}, &reason) == EPIPE);
  BOOST_TEST(reason == "the peer has closed without a PROXY header");
  BOOST_TEST(error_behind("PROXY TCP9 \r\n", {}, &reason) == EPROTO);
  BOOST_TEST(!reason.empty());
  BOOST_TEST(error_behind("PROXY " + std::string(200, 'x')) == EMSGSIZE);
}

BOOST_AUTO_TEST_CASE(a_header_that_is_cut_at_any_byte_is_refused) {
  std::string reason;
  for (const Presence presence : {Presence::required, Presence::optional}) {
    for (std::size_t size = presence == Presence::required ? 1 : 6; size < proxied_line.size(); ++size) {
      BOOST_TEST(error_behind(std::string(proxied_line.substr(0, size)), {.presence = presence}, &reason) ==
                 EPROTO);
      BOOST_TEST(reason == "the peer has closed in the middle of the PROXY header");
    }
  }
}

BOOST_DATA_TEST_CASE_F(ProxyAcceptFixture, an_optional_header_that_is_not_there_costs_no_byte,
                       data::make({"P", "PROX", "PROXY", "G", "GET / HTTP/1.1\r\n", "PROXYTCP4 ",
                                   "\r\n\r\n"}),
                       text) {
  auto [ours, peer] = tcp_pair();
  const Address remote = ours.remote_address();
  BOOST_TEST(error_of(peer.write(text)) == 0);
  BOOST_TEST(error_of(peer.shutdown_write()) == 0);
  Request<Stream> accepting = proxy::accept(std::move(ours), {.presence = Presence::optional});
  Stream stream = accepted(accepting);
  BOOST_TEST(proxy::header(stream) == nullptr);
  BOOST_TEST(proxy::proxy_address(stream).is_empty());
  BOOST_TEST(stream.remote_address() == remote);
  BOOST_TEST(read_text(stream, std::string_view(text).size()) == text);
  std::vector<std::byte> buffer(1);
  BOOST_TEST(error_of(stream.read(buffer)) == EPIPE);
}

BOOST_AUTO_TEST_CASE(an_optional_header_that_is_there_is_used) {
  auto [ours, peer] = tcp_pair();
  BOOST_TEST(error_of(peer.write(std::string(proxied_line))) == 0);
  Request<Stream> accepting = proxy::accept(std::move(ours), {.presence = Presence::optional});
  Stream stream = accepted(accepting);
  BOOST_TEST(stream.remote_address().to_string() == "192.0.2.1:56324");
}

BOOST_AUTO_TEST_CASE(a_header_from_elsewhere_is_refused_or_is_plain_bytes) {
  proxy::AcceptOptions options{.trusted = {network_of("192.0.2.0/24"), network_of("::/0")}};
  auto [ours, peer] = tcp_pair();
  BOOST_TEST(error_of(peer.write(std::string(proxied_line))) == 0);
  Request<Stream> accepting = proxy::accept(std::move(ours), options);
  BOOST_TEST(error_of(accepting) == EACCES);
  BOOST_TEST(accepting.reason() == "127.0.0.1 is in no network from which a PROXY header is accepted");

  options.untrusted = Untrusted::plain;
  auto [second, second_peer] = tcp_pair();
  const Address remote = second.remote_address();
  BOOST_TEST(error_of(second_peer.write(std::string(proxied_line))) == 0);
  accepting = proxy::accept(std::move(second), options);
  Stream stream = accepted(accepting);
  BOOST_TEST(stream.remote_address() == remote);
  BOOST_TEST(read_text(stream, proxied_line.size()) == proxied_line);

  options.trusted.push_back(network_of("127.0.0.0/8"));
  auto [third, third_peer] = tcp_pair();
  BOOST_TEST(error_of(third_peer.write(std::string(proxied_line))) == 0);
  accepting = proxy::accept(std::move(third), options);
  stream = accepted(accepting);
  BOOST_TEST(stream.remote_address().to_string() == "192.0.2.1:56324");
}

BOOST_AUTO_TEST_CASE(a_silent_proxy_is_ended_by_deadline_and_cancel) {
  for (const bool cancels : {true, false}) {
    auto [ours, peer] = tcp_pair();
    BOOST_TEST(error_of(peer.write(std::string(proxied_line.substr(0, 20)))) == 0);
    Request<Stream> accepting = proxy::accept(std::move(ours));
    loop.run_until_idle();
    if (cancels) {
      accepting.cancel();
    } else {
      accepting.set_timeout(1ms);
    }
    BOOST_TEST(error_of(accepting) == (cancels ? ECANCELED : ETIMEDOUT));
    std::vector<std::byte> buffer(1);
    const int err = error_of(peer.read(buffer));
    BOOST_TEST((err == EPIPE || err == ECONNRESET));
  }
}

BOOST_AUTO_TEST_CASE(anything_may_be_destroyed_in_the_callback) {
  auto [ours, peer] = tcp_pair();
  BOOST_TEST(error_of(peer.write(std::string(proxied_line) + "rest")) == 0);
  bool called = false;
  std::optional<Request<Stream>> accepting(proxy::accept(std::move(ours)));
  accepting->set_callback([&, held = &peer](Request<Stream>& request) {
    int err = -1;
    const Stream stream = request.recv(err);
    BOOST_TEST(err == 0);
    accepting.reset();
    *held = Stream();
    called = true;
  });
  BOOST_TEST(run_until([&] { return called; }));
  auto [left, right] = tcp_pair();
  accepting.emplace(proxy::accept(std::move(left)));
  loop.run_until_idle();
  accepting.reset();
  std::vector<std::byte> buffer(1);
  BOOST_TEST(error_of(right.read(buffer)) == EPIPE);
}

BOOST_AUTO_TEST_CASE(a_listener_gives_clients_and_a_slow_one_delays_nobody) {
  std::vector<int> failures;
  layer::ListenOptions handshakes;
  handshakes.on_failure = [&failures](const Address&, int err, std::string_view) { failures.push_back(err); };
  Listener listening = proxy::listen(listener(), {}, handshakes);
  Request<Stream> accepting = listening.accept();
  const Stream slow = connected(listening);
  Stream other = connected(listening);
  BOOST_TEST(error_of(other.write("SSH-2.0\r\n")) == 0);
  Stream client = connected(listening);
  const Address proxy_side = client.local_address();
  BOOST_TEST(error_of(client.write(std::string(proxied_line) + "hello")) == 0);
  Stream stream = accepted(accepting);
  BOOST_TEST(stream.remote_address().to_string() == "192.0.2.1:56324");
  BOOST_TEST(proxy::proxy_address(stream) == proxy_side);
  BOOST_TEST(read_text(stream, 5) == "hello");
  BOOST_TEST(run_until([&] { return !failures.empty(); }));
  BOOST_TEST(failures.front() == ENOMSG);
}

BOOST_AUTO_TEST_CASE(a_relay_passes_on_what_it_has_accepted) {
  auto [ours, peer] = tcp_pair();
  Request<ssize_t> writing = proxy::send_header(peer, header_v2());
  Request<Stream> accepting = proxy::accept(std::move(ours));
  const Stream first = accepted(accepting);
  auto [onward, server] = tcp_pair();
  writing = proxy::send_header(onward, proxy::Header::of(first));
  accepting = proxy::accept(std::move(server));
  const Stream second = accepted(accepting);
  BOOST_TEST_REQUIRE(proxy::header(second) != nullptr);
  BOOST_TEST((*proxy::header(second) == header_v2()));
  BOOST_TEST(error_of(writing) == 0);

  auto [plain, plain_peer] = tcp_pair();
  const proxy::Header of_plain = proxy::Header::of(plain);
  BOOST_TEST(of_plain.source == plain_peer.local_address());
  BOOST_TEST(of_plain.destination == plain.local_address());
  auto [memory, memory_peer] = memory_pair();
  BOOST_TEST((proxy::Header::of(memory).transport == proxy::Header::Transport::unspecified));
}

BOOST_AUTO_TEST_CASE(a_header_that_cannot_be_sent_is_told_by_the_request) {
  auto [ours, peer] = tcp_pair();
  proxy::Header header = header_v2();
  header.destination = Address::unix_unnamed();
  Request<ssize_t> writing = proxy::send_header(ours, header);
  BOOST_TEST(error_of(writing) == EINVAL);
  BOOST_TEST(writing.reason() == "a PROXY header whose addresses do not belong together");
  BOOST_TEST(!proxy::send_header(*std::make_unique<Stream>(), header_v2()));
}

BOOST_AUTO_TEST_CASE(a_stream_that_is_not_open_is_enotconn) {
  auto [ours, peer] = tcp_pair();
  ours.abort();
  BOOST_TEST(error_of(proxy::accept(std::move(ours))) == ENOTCONN);
  BOOST_TEST(!proxy::accept(Stream()));
  BOOST_TEST(!proxy::listen(Listener()));
  BOOST_TEST(proxy::header(Stream()) == nullptr);
}

#ifdef TSOCK_WITH_TLS
BOOST_AUTO_TEST_CASE(tls_of_the_client_stands_on_the_header) {
  const tls::Context server = context_for(tls_authority().server_options());
  const tls::Context client = context_for(tls_authority().client_options());
  Listener listening = tls::listen(proxy::listen(listener()), server);
  Request<Stream> accepting = listening.accept();
  Stream below = connected(listening);
  Request<ssize_t> writing = proxy::send_header(below, header_v2());
  Request<Stream> connecting = tls::connect(std::move(below), client, {.peer_name = "www.example.com"});
  Stream ours = accepted(connecting);
  Stream stream = accepted(accepting);
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(stream.remote_address() == header_v2().source);
  BOOST_TEST_REQUIRE(proxy::header(stream) != nullptr);
  BOOST_TEST(proxy::header(stream)->authority().value_or("") == "example.org");
  BOOST_TEST(stream.native_handle() == invalid_socket);
  BOOST_TEST((send_through(ours, stream, pattern(1000)) == pattern(1000)));
}
#endif

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
