// The keys that a kernel gets, against the key log, and against what OpenSSL sends.
#include <openssl/hmac.h>
#include <openssl/ssl.h>

#include <array>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <charconv>
#include <cstddef>
#include <memory_resource>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <tsock/buffer.hpp>
#include <tsock/tls/tls.hpp>
#include <utility>
#include <vector>

#include "support/tls_fixture.hpp"
#include "support/tls_records.hpp"
#include "tls/openssl_engine.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;
using KeyBytes = std::vector<std::byte>;
using tls::TrafficKeys;

struct OffloadedCipher {
  tls::Version version;
  const char* name;  // as OpenSSL calls it
  TrafficKeys::Cipher kind;
  const EVP_CIPHER* (*cipher)();
  const EVP_MD* (*hash)();
};
std::ostream& operator<<(std::ostream& out, const OffloadedCipher& cipher) { return out << cipher.name; }

using enum tls::Version;
using enum TrafficKeys::Cipher;
const OffloadedCipher offloaded_ciphers[] = {
    {tls1_2, "ECDHE-ECDSA-AES128-GCM-SHA256", aes_128_gcm, EVP_aes_128_gcm, EVP_sha256},
    {tls1_2, "ECDHE-ECDSA-AES256-GCM-SHA384", aes_256_gcm, EVP_aes_256_gcm, EVP_sha384},
    {tls1_2, "ECDHE-ECDSA-CHACHA20-POLY1305", chacha20_poly1305, EVP_chacha20_poly1305, EVP_sha256},
    {tls1_3, "TLS_AES_128_GCM_SHA256", aes_128_gcm, EVP_aes_128_gcm, EVP_sha256},
    {tls1_3, "TLS_AES_256_GCM_SHA384", aes_256_gcm, EVP_aes_256_gcm, EVP_sha384},
    {tls1_3, "TLS_CHACHA20_POLY1305_SHA256", chacha20_poly1305, EVP_chacha20_poly1305, EVP_sha256},
};

/// A client and a server that are to give their keys to a kernel, and their key log.
struct KeyedPair {
  explicit KeyedPair(tls::Version version, const std::string& cipher, std::uint32_t tickets = 2) {
    tls::ProtocolOptions protocol = at_version(version);
    (version == tls1_3 ? protocol.cipher_suites : protocol.ciphers) = cipher;
    protocol.key_log = [this](std::string_view line) { key_log.emplace_back(line); };
    protocol.kernel_tls = true;
    tls::ClientOptions of_client = tls_authority().client_options();
    of_client.protocol = protocol;
    tls::ServerOptions of_server = tls_authority().server_options();
    of_server.protocol = protocol;
    of_server.tickets = tickets;
    client.emplace(context_for(of_client).state());
    server.emplace(context_for(of_server).state());
    BOOST_TEST_REQUIRE(client->prepare_client({.peer_name = "www.example.com"}) == 0);
    BOOST_TEST_REQUIRE(server->prepare_server() == 0);
  }

  void shake() {
    bool is_client_done = false;
    bool is_server_done = false;
    for (int turn = 0; turn < 6 && !(is_client_done && is_server_done); ++turn) {
      is_client_done = client->handshake(to_client, false, to_server).input == 0;
      is_server_done = server->handshake(to_server, false, to_client).input == 0;
    }
    BOOST_TEST_REQUIRE((is_client_done && is_server_done), client->reason() << server->reason());
    // The tickets, if there are some.
    std::size_t given = 0;
    BOOST_TEST(client->unwrap(to_client, false, {}, given, to_server).err == 0);
    BOOST_TEST_REQUIRE((to_client.empty() && to_server.empty()));
  }

  /// The number behind a label, and one more where there are two, of the key log.
  [[nodiscard]] KeyBytes logged(std::string_view label) const {
    for (const std::string& line : key_log) {
      if (!line.starts_with(label)) continue;
      const std::string text = line.substr(line.rfind(' ') + 1);
      KeyBytes bytes(text.size() / 2);
      for (std::size_t i = 0; i != bytes.size(); ++i) {
        std::uint8_t byte = 0;
        std::from_chars(text.data() + 2 * i, text.data() + 2 * i + 2, byte, 16);
        bytes[i] = std::byte{byte};
      }
      return bytes;
    }
    BOOST_FAIL("the key log has no " << label);
    return {};
  }

  std::vector<std::string> key_log;
  std::pmr::memory_resource& memory = *std::pmr::new_delete_resource();
  std::optional<tls::OpenSslEngine> client;
  std::optional<tls::OpenSslEngine> server;
  layer::ByteBlock to_client{memory};
  layer::ByteBlock to_server{memory};
};

KeyBytes hmac_of(const EVP_MD* hash, const KeyBytes& key, const KeyBytes& text) {
  KeyBytes result(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  BOOST_TEST_REQUIRE(HMAC(hash, key.data(), static_cast<int>(key.size()),
                          reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                          reinterpret_cast<unsigned char*>(result.data()), &size) != nullptr);
  result.resize(size);
  return result;
}

KeyBytes front_of(std::span<const std::byte> bytes, std::size_t size) {
  const auto front = bytes.first(size);
  return {front.begin(), front.end()};
}

void append(KeyBytes& bytes, std::span<const std::byte> more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}
void append(KeyBytes& bytes, std::string_view more) { append(bytes, std::as_bytes(std::span(more))); }

// The first block of HKDF-Expand is enough.
KeyBytes expanded(const EVP_MD* hash, const KeyBytes& secret, std::string_view label, std::size_t size) {
  KeyBytes info{std::byte{0}, static_cast<std::byte>(size), static_cast<std::byte>(6 + label.size())};
  append(info, "tls13 ");
  append(info, label);
  append(info, std::string_view("\0\1", 2));
  KeyBytes result = hmac_of(hash, secret, info);
  result.resize(size);
  return result;
}

// P_hash of RFC 5246 section 5.
KeyBytes pseudo_random(const EVP_MD* hash, const KeyBytes& secret, const KeyBytes& seed, std::size_t size) {
  KeyBytes result;
  for (KeyBytes a = seed; result.size() < size;) {
    a = hmac_of(hash, secret, a);
    KeyBytes text = a;
    append(text, seed);
    append(result, hmac_of(hash, secret, text));
  }
  result.resize(size);
  return result;
}

/// The key and the part of the nonce that both sides know.
std::pair<KeyBytes, KeyBytes> expected_keys(const KeyedPair& pair, const OffloadedCipher& cipher,
                                            bool of_server) {
  const EVP_MD* const hash = cipher.hash();
  const auto key_size = static_cast<std::size_t>(EVP_CIPHER_get_key_length(cipher.cipher()));
  if (cipher.version == tls1_3) {
    const KeyBytes secret = pair.logged(of_server ? "SERVER_TRAFFIC_SECRET_0" : "CLIENT_TRAFFIC_SECRET_0");
    return {expanded(hash, secret, "key", key_size), expanded(hash, secret, "iv", 12)};
  }
  std::array<unsigned char, 32> random{};
  KeyBytes seed;
  append(seed, "key expansion");
  SSL_get_server_random(pair.client->ssl(), random.data(), random.size());
  append(seed, std::as_bytes(std::span(random)));
  SSL_get_client_random(pair.client->ssl(), random.data(), random.size());
  append(seed, std::as_bytes(std::span(random)));
  const std::size_t nonce_size = cipher.kind == chacha20_poly1305 ? 12 : 4;
  const KeyBytes block = pseudo_random(hash, pair.logged("CLIENT_RANDOM"), seed, 2 * (key_size + nonce_size));
  const auto part = [&](std::size_t begin, std::size_t size) {
    return KeyBytes(block.begin() + static_cast<std::ptrdiff_t>(begin),
                    block.begin() + static_cast<std::ptrdiff_t>(begin + size));
  };
  return {part(of_server ? key_size : 0, key_size),
          part(2 * key_size + (of_server ? nonce_size : 0), nonce_size)};
}

/// The records of what an engine makes out of a text.
KeyBytes record_of(tls::OpenSslEngine& engine, std::string_view text, layer::ByteBlock& out) {
  const iovec vector = make_vector(std::as_bytes(std::span(text)));
  std::size_t taken = 0;
  BOOST_TEST(engine.wrap({&vector, 1}, taken, out).err == 0);
  KeyBytes record(out.bytes().begin(), out.bytes().end());
  out.clear();
  return record;
}

void check_content(TlsRecords& records, const KeyBytes& record, std::string_view text) {
  std::uint8_t type = 0;
  const auto content = records.open(record, type);
  BOOST_TEST_REQUIRE(content.has_value());
  BOOST_TEST(text_of(*content) == text);
  BOOST_TEST(type == SSL3_RT_APPLICATION_DATA);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tls_traffic_keys)

BOOST_DATA_TEST_CASE(keys_are_those_of_the_key_log, data::make(offloaded_ciphers) * data::make({false, true}),
                     cipher, of_server) {
  KeyedPair pair(cipher.version, cipher.name);
  pair.shake();
  tls::OpenSslEngine& engine = of_server ? *pair.server : *pair.client;
  TrafficKeys keys;
  BOOST_TEST_REQUIRE(engine.kernel()->find_keys(*engine.ssl(), keys));
  BOOST_TEST((keys.version == cipher.version && keys.cipher == cipher.kind));
  const auto [key, nonce] = expected_keys(pair, cipher, of_server);
  BOOST_TEST((key == front_of(keys.key, keys.key_size())));
  BOOST_TEST((nonce == front_of(keys.iv, nonce.size())));
  // The Finished message was one with TLS 1.2; with TLS 1.3 the server has sent two tickets.
  const std::uint64_t sent = cipher.version == tls1_2 ? 1 : of_server ? 2 : 0;
  BOOST_TEST(keys.sequence == sent);
}

BOOST_DATA_TEST_CASE(keys_open_what_openssl_sends_next,
                     data::make(offloaded_ciphers) * data::make({false, true}), cipher, of_server) {
  for (const std::uint32_t tickets : {0U, 3U}) {
    KeyedPair pair(cipher.version, cipher.name, tickets);
    pair.shake();
    tls::OpenSslEngine& engine = of_server ? *pair.server : *pair.client;
    layer::ByteBlock& out = of_server ? pair.to_client : pair.to_server;
    for (int turn = 0; turn != 3; ++turn) {
      TrafficKeys keys;
      BOOST_TEST_REQUIRE(engine.kernel()->find_keys(*engine.ssl(), keys));
      TlsRecords records(cipher.version, cipher.cipher(), std::span(keys.key).first(keys.key_size()), keys.iv,
                         keys.sequence);
      check_content(records, record_of(engine, "question", out), "question");
      check_content(records, record_of(engine, "another one", out), "another one");
    }
  }
}

// As a kernel does from the next record on.
BOOST_DATA_TEST_CASE(the_peer_reads_what_is_wrapped_with_the_keys,
                     data::make(offloaded_ciphers) * data::make({false, true}), cipher, of_server) {
  KeyedPair pair(cipher.version, cipher.name);
  pair.shake();
  tls::OpenSslEngine& sender = of_server ? *pair.server : *pair.client;
  tls::OpenSslEngine& receiver = of_server ? *pair.client : *pair.server;
  TrafficKeys keys;
  BOOST_TEST_REQUIRE(sender.kernel()->find_keys(*sender.ssl(), keys));
  TlsRecords records(cipher.version, cipher.cipher(), std::span(keys.key).first(keys.key_size()), keys.iv,
                     keys.sequence);
  layer::ByteBlock in{pair.memory};
  layer::ByteBlock out{pair.memory};
  for (const std::string_view text : {"question", "answer", "more"}) {
    BOOST_TEST(in.append(records.wrap(SSL3_RT_APPLICATION_DATA, std::as_bytes(std::span(text)))));
    KeyBytes room(text.size());
    const iovec vector = make_vector(std::span<std::byte>(room));
    std::size_t given = 0;
    BOOST_TEST(receiver.unwrap(in, false, {&vector, 1}, given, out).err == 0);
    BOOST_TEST(given == text.size());
    BOOST_TEST(text_of(room) == text);
  }
}

BOOST_DATA_TEST_CASE(nonces_of_records_differ_from_that_of_the_handshake,
                     data::make({"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"}), cipher) {
  KeyedPair pair(tls1_2, cipher);
  pair.shake();
  TrafficKeys keys;
  BOOST_TEST_REQUIRE(pair.client->kernel()->find_keys(*pair.client->ssl(), keys));
  BOOST_TEST(keys.sends_nonce());
  BOOST_TEST(text_of(std::span(keys.iv).subspan(4)) == std::string_view("\0\0\0\0\0\0\0\1", 8));
}

BOOST_AUTO_TEST_CASE(other_ciphers_have_no_keys_for_a_kernel) {
  for (const auto& [version, name] : {std::pair{tls1_2, "ECDHE-ECDSA-AES128-SHA256"},
                                      {tls1_2, "ECDHE-ECDSA-AES128-CCM"},
                                      {tls1_3, "TLS_AES_128_CCM_SHA256"}}) {
    KeyedPair pair(version, name);
    pair.shake();
    TrafficKeys keys;
    BOOST_TEST(!pair.client->kernel()->find_keys(*pair.client->ssl(), keys));
  }
}

BOOST_DATA_TEST_CASE(records_of_another_size_are_not_a_kernels, data::make(tls_versions), version) {
  KeyedPair pair(version, version == tls1_3 ? "TLS_AES_128_GCM_SHA256" : "ECDHE-ECDSA-AES128-GCM-SHA256");
  BOOST_TEST_REQUIRE(
      SSL_set_tlsext_max_fragment_length(pair.client->ssl(), TLSEXT_max_fragment_length_1024) == 1);
  pair.shake();
  for (const tls::OpenSslEngine* engine : {&*pair.client, &*pair.server}) {
    TrafficKeys keys;
    BOOST_TEST(!engine->kernel()->find_keys(*engine->ssl(), keys));
  }
}

BOOST_AUTO_TEST_CASE(nothing_is_noted_unless_asked_for) {
  const tls::Context context = context_for(tls_authority().client_options());
  tls::OpenSslEngine engine(context.state());
  BOOST_TEST_REQUIRE(engine.prepare_client({.peer_name = "www.example.com"}) == 0);
  BOOST_TEST(engine.kernel() == nullptr);
  BOOST_TEST(!engine.wants_offload());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
