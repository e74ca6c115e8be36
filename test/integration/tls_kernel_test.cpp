// A kernel that encrypts what is sent. Kernels without it are what most machines have: a double stands in for
// one that has.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <ostream>
#include <string>
#include <tsock/layer/layer_over.hpp>
#include <tsock/memory_stream.hpp>
#include <tsock/native_socket.hpp>
#include <tsock/rate_limit.hpp>
#include <tsock/tls/tls.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/kernel_tls_double.hpp"
#include "support/system.hpp"
#include "support/tls_fixture.hpp"
#include "tls/openssl_engine.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;
namespace utf = boost::unit_test;
using tls::Version;
using enum tls::Version;

struct KernelCipher {
  Version version;
  const char* name;  // as OpenSSL calls it
};
std::ostream& operator<<(std::ostream& out, const KernelCipher& cipher) { return out << cipher.name; }

const KernelCipher kernel_ciphers[] = {
    {tls1_2, "ECDHE-ECDSA-AES128-GCM-SHA256"}, {tls1_2, "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {tls1_2, "ECDHE-ECDSA-CHACHA20-POLY1305"}, {tls1_3, "TLS_AES_128_GCM_SHA256"},
    {tls1_3, "TLS_AES_256_GCM_SHA384"},        {tls1_3, "TLS_CHACHA20_POLY1305_SHA256"},
};

tls::ProtocolOptions asking_kernel(Version version, const std::string& cipher = {}) {
  tls::ProtocolOptions protocol = at_version(version);
  (version == tls1_3 ? protocol.cipher_suites : protocol.ciphers) = cipher;
  protocol.kernel_tls = true;
  return protocol;
}

struct KernelFixture : TlsFixture {
  /// Both sides, or the client alone, ask the kernel.
  TlsPair connected_by_kernel(std::pair<Stream, Stream> below, const tls::ProtocolOptions& protocol,
                              bool server_asks = true) {
    tls::ClientOptions of_client = tls_authority().client_options();
    of_client.protocol = protocol;
    tls::ServerOptions of_server = tls_authority().server_options();
    of_server.protocol = protocol;
    of_server.protocol.kernel_tls = server_asks;
    TlsPair pair = shake(std::move(below), context_for(of_client), context_for(of_server));
    BOOST_TEST_REQUIRE(pair.client.err == 0, pair.client.reason);
    BOOST_TEST_REQUIRE(pair.server.err == 0, pair.server.reason);
    return pair;
  }
  TlsPair connected_by_kernel(Version version, bool server_asks = true) {
    return connected_by_kernel(tcp_pair(), asking_kernel(version), server_asks);
  }

  /// More than the socket takes at once, each way.
  void exchange_much(TlsPair& pair) {
    const std::vector<std::byte> bytes = pattern(300'000, 1);
    BOOST_TEST((send_through(pair.client.stream, pair.server.stream, bytes) == bytes));
    BOOST_TEST((send_through(pair.server.stream, pair.client.stream, bytes) == bytes));
  }
  void end(TlsPair& pair) {
    Request<void> first = pair.client.stream.disconnect();
    Request<void> second = pair.server.stream.disconnect();
    BOOST_TEST(error_of(first) == 0);
    BOOST_TEST(error_of(second) == 0);
  }
};

/// Whether the kernel of this machine has TLS.
bool kernel_offers_tls(LoopFixture& fixture) {
  auto [one, other] = fixture.tcp_pair();
  static constexpr char protocol[] = "tls";
  const int fd = one.native_handle();
  return ::setsockopt(fd, IPPROTO_TCP, TCP_ULP, protocol, sizeof(protocol)) == 0;
}

SSL* ssl_of(const Stream& stream) {
  const auto* const engine = dynamic_cast<const tls::OpenSslEngine*>(layer::engine_of(stream));
  BOOST_TEST_REQUIRE(engine != nullptr);
  return engine->ssl();
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(tls_kernel, KernelFixture, *utf::precondition(more_than_posix))

// ---- asked and refused ----

BOOST_DATA_TEST_CASE(the_kernel_of_this_machine_may_refuse, data::make(kernel_ciphers), cipher) {
  const bool offers = kernel_offers_tls(*this);
  TlsPair pair = connected_by_kernel(tcp_pair(), asking_kernel(cipher.version, cipher.name));
  BOOST_TEST(pair.client.peer().kernel_sends == offers);
  BOOST_TEST(pair.server.peer().kernel_sends == offers);
  converse(pair);
  exchange_much(pair);
  end(pair);
}

BOOST_DATA_TEST_CASE(a_refusal_is_silent,
                     data::make({ENOENT, ENOPROTOOPT, EOPNOTSUPP, ENOTCONN}) * data::make({false, true}), err,
                     refuses_keys) {
  for (const Version version : tls_versions) {
    const KernelTlsDouble kernel(refuses_keys ? KernelTlsDouble::Refusals{.keys = err}
                                              : KernelTlsDouble::Refusals{.protocol = err});
    TlsPair pair = connected_by_kernel(version);
    BOOST_TEST(kernel.asked() == 2U);
    BOOST_TEST(!pair.client.peer().kernel_sends);
    BOOST_TEST(!pair.server.peer().kernel_sends);
    converse(pair);
    exchange_much(pair);
    end(pair);
    BOOST_TEST(kernel.asked() == 2U);
    BOOST_TEST(kernel.records() == 0U);
  }
}

BOOST_AUTO_TEST_CASE(the_kernel_is_not_asked_for_what_it_cannot_do) {
  const KernelTlsDouble kernel;
  const auto is_usual = [&](TlsPair pair) {
    BOOST_TEST(!pair.client.peer().kernel_sends);
    BOOST_TEST(!pair.server.peer().kernel_sends);
    converse(pair);
    end(pair);
  };
  // No option.
  is_usual(connected(context_for(tls_authority().client_options()),
                     context_for(tls_authority().server_options())));
  // No TCP socket, or something in front of it.
  is_usual(connected_by_kernel(memory_pair(), asking_kernel(tls1_3)));
  is_usual(connected_by_kernel(unix_pair(), asking_kernel(tls1_3)));
  std::pair<Stream, Stream> limited = tcp_pair();
  for (Stream* const stream : {&limited.first, &limited.second})
    BOOST_TEST(limit_rate(*stream, {.writing = RateLimit(loop, 100'000'000, 100'000)}) == 0);
  is_usual(connected_by_kernel(std::move(limited), asking_kernel(tls1_3)));
  // Other ciphers.
  is_usual(connected_by_kernel(tcp_pair(), asking_kernel(tls1_3, "TLS_AES_128_CCM_SHA256")));
  is_usual(connected_by_kernel(tcp_pair(), asking_kernel(tls1_2, "ECDHE-ECDSA-AES128-SHA256")));
  BOOST_TEST(kernel.asked() == 0U);
}

BOOST_AUTO_TEST_CASE(tls_inside_is_not_the_kernels) {
  const KernelTlsDouble kernel;
  TlsPair outer = connected_by_kernel(tls1_3);
  BOOST_TEST(outer.client.peer().kernel_sends);
  TlsPair inner = connected_by_kernel({std::move(outer.client.stream), std::move(outer.server.stream)},
                                      asking_kernel(tls1_3));
  BOOST_TEST(!inner.client.peer().kernel_sends);
  BOOST_TEST(kernel.asked() == 2U);
  converse(inner);
  exchange_much(inner);
  end(inner);
}

// ---- asked, and it does ----

BOOST_DATA_TEST_CASE(the_peer_reads_what_the_kernel_sends, data::make(kernel_ciphers), cipher) {
  KernelTlsDouble kernel;
  TlsPair pair = connected_by_kernel(tcp_pair(), asking_kernel(cipher.version, cipher.name));
  BOOST_TEST(kernel.asked() == 2U);
  BOOST_TEST(pair.client.peer().kernel_sends);
  BOOST_TEST(pair.server.peer().kernel_sends);
  BOOST_TEST(pair.client.peer().cipher == cipher.name);
  converse(pair);
  BOOST_TEST(kernel.records() == 2U);
  exchange_much(pair);
  BOOST_TEST(kernel.records() >= 2 + 2 * 300'000U / 16384);
  BOOST_TEST(kernel.control_records() == 0U);
  end(pair);
  BOOST_TEST(kernel.control_records() == 2U);
}

BOOST_DATA_TEST_CASE(a_listener_and_a_resumed_session_ask_too, data::make(tls_versions), version) {
  const KernelTlsDouble kernel;
  tls::ClientOptions of_client = tls_authority().client_options();
  of_client.protocol = asking_kernel(version);
  tls::ServerOptions of_server = tls_authority().server_options();
  of_server.protocol = asking_kernel(version);
  const tls::Context client = context_for(of_client);
  int err = -1;
  Listener below = Listener::listen(loop, loopback_v4(), {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  const Address address = below.local_address();
  Listener listener = tls::listen(std::move(below), context_for(of_server));
  for (const bool is_resumed : {false, true}) {
    Request<Stream> accepting = listener.accept();
    Request<Stream> connecting = Stream::connect(loop, address);
    Stream stream = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0);
    connecting = tls::connect(std::move(stream), client, {.peer_name = "www.example.com"});
    TlsPair pair;
    pair.client.stream = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0);
    pair.server.stream = fetch(accepting, err);
    BOOST_TEST_REQUIRE(err == 0);
    for (const TlsSide* side : {&pair.client, &pair.server}) {
      BOOST_TEST(side->peer().kernel_sends);
      BOOST_TEST(side->peer().is_resumed == is_resumed);
    }
    converse(pair);
    end(pair);
  }
}

BOOST_DATA_TEST_CASE(a_close_notify_arrives_as_the_end, data::make(tls_versions), version) {
  const KernelTlsDouble kernel;
  // The other side is the usual one.
  TlsPair pair = connected_by_kernel(version, false);
  BOOST_TEST(pair.client.peer().kernel_sends);
  BOOST_TEST(!pair.server.peer().kernel_sends);
  converse(pair);
  Request<void> ending = pair.client.stream.shutdown_write();
  BOOST_TEST(error_of(ending) == 0);
  BOOST_TEST(kernel.control_records() == 1U);
  BOOST_TEST(error_of_read(pair.server.stream) == EPIPE);
  BOOST_TEST(error_of(pair.client.stream.write("x")) == EPIPE);
  // The other direction goes on.
  Request<ssize_t> writing = pair.server.stream.write("still there");
  BOOST_TEST(read_text(pair.client.stream, 11) == "still there");
  BOOST_TEST(error_of(writing) == 0);
  end(pair);
  BOOST_TEST(kernel.control_records() == 1U);
}

BOOST_DATA_TEST_CASE(a_close_notify_waits_for_room, data::make(tls_versions), version) {
  KernelTlsDouble kernel;
  TlsPair pair = connected_by_kernel(version, false);
  kernel.set_full(true);
  Request<void> ending = pair.client.stream.shutdown_write();
  BOOST_TEST_REQUIRE(run_until([&] { return kernel.blocked() >= 3; }));
  BOOST_TEST(ending.is_in_progress());
  BOOST_TEST(kernel.control_records() == 0U);
  kernel.set_full(false);
  BOOST_TEST(error_of(ending) == 0);
  BOOST_TEST(kernel.control_records() == 1U);
  BOOST_TEST(error_of_read(pair.server.stream) == EPIPE);
  end(pair);
}

BOOST_DATA_TEST_CASE(a_write_waits_for_room, data::make(tls_versions), version) {
  KernelTlsDouble kernel;
  TlsPair pair = connected_by_kernel(version, false);
  kernel.set_full(true);
  Request<ssize_t> writing = pair.client.stream.write("patience");
  BOOST_TEST_REQUIRE(run_until([&] { return kernel.blocked() >= 3; }));
  BOOST_TEST(writing.is_in_progress());
  kernel.set_full(false);
  BOOST_TEST(read_text(pair.server.stream, 8) == "patience");
  BOOST_TEST(error_of(writing) == 0);
  // A disconnect waits, too, for what it has to say.
  kernel.set_full(true);
  const unsigned blocked = kernel.blocked();
  Request<void> ending = pair.client.stream.disconnect();
  BOOST_TEST_REQUIRE(run_until([&] { return kernel.blocked() >= blocked + 3; }));
  BOOST_TEST(ending.is_in_progress());
  kernel.set_full(false);
  BOOST_TEST(error_of_read(pair.server.stream) == EPIPE);
  BOOST_TEST(error_of(pair.server.stream.disconnect()) == 0);
  BOOST_TEST(error_of(ending) == 0);
}

BOOST_DATA_TEST_CASE(a_cancelled_write_cuts_no_record, data::make(tls_versions), version) {
  const KernelTlsDouble kernel;
  TlsPair pair = connected_by_kernel(version, false);
  const std::vector<std::byte> bytes = pattern(8'000'000, 5);
  Request<ssize_t> writing = pair.client.stream.write(bytes);
  BOOST_TEST_REQUIRE(run_until([&] { return kernel.blocked() != 0; }));
  writing.cancel();
  BOOST_TEST(error_of(writing) == ECANCELED);
  const std::size_t transferred = writing.transferred();
  BOOST_TEST((transferred != 0 && transferred < bytes.size()));
  // The peer is still there, in the middle of the write.
  std::vector<std::byte> got(transferred);
  Request<ssize_t> reading = pair.server.stream.read(got);
  BOOST_TEST(error_of(reading) == 0, reading.reason());
  BOOST_TEST(std::equal(got.begin(), got.end(), bytes.begin()));
  BOOST_TEST(kernel.control_records() == 0U);
}

// ---- messages of OpenSSL ----

BOOST_AUTO_TEST_CASE(new_keys_of_the_peer_alone_are_taken) {
  const KernelTlsDouble kernel;
  TlsPair pair = connected_by_kernel(tls1_3, false);
  BOOST_TEST_REQUIRE(SSL_key_update(ssl_of(pair.server.stream), SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
  converse(pair);
  converse(pair);
  end(pair);
  BOOST_TEST(kernel.control_records() == 1U);
}

BOOST_AUTO_TEST_CASE(new_keys_that_are_asked_for_end_the_connection) {
  const KernelTlsDouble kernel;
  TlsPair pair = connected_by_kernel(tls1_3, false);
  converse(pair);
  BOOST_TEST_REQUIRE(SSL_key_update(ssl_of(pair.server.stream), SSL_KEY_UPDATE_REQUESTED) == 1);
  Request<ssize_t> writing = pair.server.stream.write("last words");
  BOOST_TEST(read_text(pair.client.stream, 10) == "last words");
  BOOST_TEST(error_of(writing) == 0);
  std::string reason;
  BOOST_TEST(error_of_read(pair.client.stream, &reason) == EPROTO);
  BOOST_TEST(reason == "the peer asks for new keys, and the kernel, which sends, is not given any");
  writing = pair.client.stream.write("x");
  BOOST_TEST(error_of(writing) == EPROTO);
  BOOST_TEST(writing.reason() == reason);
  // The peer hears it in a record of its own, and nothing behind it.
  BOOST_TEST(error_of_read(pair.server.stream, &reason) == EPROTO);
  BOOST_TEST(reason == "the peer refuses: tlsv1 alert internal error");
  BOOST_TEST(kernel.control_records() == 1U);
}

BOOST_DATA_TEST_CASE(an_alert_arrives_as_one, data::make(tls_versions), version) {
  const KernelTlsDouble kernel;
  TlsPair pair = connected_by_kernel(version, false);
  converse(pair);
  // A record of nobody's key.
  layer::ByteBlock out{*std::pmr::new_delete_resource()};
  auto* const engine = const_cast<tls::OpenSslEngine*>(
      dynamic_cast<const tls::OpenSslEngine*>(layer::engine_of(pair.server.stream)));
  const iovec vector = make_vector(std::as_bytes(std::span(std::string_view("lost"))));
  std::size_t taken = 0;
  BOOST_TEST(engine->wrap({&vector, 1}, taken, out).err == 0);
  Request<ssize_t> writing = pair.server.stream.write("behind it");
  std::string reason;
  BOOST_TEST(error_of_read(pair.client.stream, &reason) == EPROTO);
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(error_of_read(pair.server.stream, &reason) == EPROTO);
  BOOST_TEST(reason.starts_with("the peer refuses: "), reason);
  BOOST_TEST(kernel.control_records() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
