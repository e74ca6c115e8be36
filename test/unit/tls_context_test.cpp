#include <sys/stat.h>

#include <atomic>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <functional>
#include <string>
#include <thread>
#include <tsock/tls/tls.hpp>
#include <vector>

#include "support/process.hpp"
#include "support/tls_fixture.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;

struct Failure {
  int err = 0;
  std::string reason = {};
};

Failure failure_of(const tls::ClientOptions& options) {
  Failure failure;
  failure.reason = "what was there before";
  const tls::Context context = tls::Context::client(options, failure.err, failure.reason);
  BOOST_TEST(bool(context) == (failure.err == 0));
  return failure;
}

Failure failure_of(const tls::ServerOptions& options) {
  Failure failure;
  failure.reason = "what was there before";
  const tls::Context context = tls::Context::server(options, failure.err, failure.reason);
  BOOST_TEST(bool(context) == (failure.err == 0));
  return failure;
}

Failure failure_of(const tls::Identity& identity) {
  return failure_of(tls::ServerOptions{.identities = {identity}});
}

Failure failure_of(const tls::ProtocolOptions& protocol) {
  const Failure client = failure_of(tls::ClientOptions{.trust = {}, .protocol = protocol});
  tls::ServerOptions options = tls_authority().server_options();
  options.protocol = protocol;
  const Failure server = failure_of(options);
  BOOST_TEST(client.err == server.err);
  BOOST_TEST(client.reason == server.reason);
  return client;
}

bool says(const Failure& failure, std::string_view words) {
  return failure.reason.find(words) != std::string::npos;
}

struct ContextFixture {
  TemporaryFolder folder;
  Certificate certificate = tls_authority().server();

  [[nodiscard]] tls::Identity files(mode_t mode = 0600) const {
    return {.certificate_file = folder.write("certificate.pem", certificate.pem()),
            .key_file = folder.write("key.pem", certificate.key_pem(), mode)};
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(tls_context, ContextFixture)

// ---- who one is ----

BOOST_AUTO_TEST_CASE(an_identity_comes_from_files_from_memory_or_from_pkcs12) {
  const TlsAuthority& authority = tls_authority();
  BOOST_TEST(failure_of(files()).err == 0);
  BOOST_TEST(failure_of(authority.identity(certificate)).err == 0);
  const std::string bytes = certificate.pkcs12("secret", {authority.intermediate});
  BOOST_TEST(failure_of(tls::Identity{.pkcs12 = bytes, .password = "secret"}).err == 0);
  const std::string path = folder.write("both.p12", bytes);
  BOOST_TEST(failure_of(tls::Identity{.pkcs12_file = path, .password = "secret"}).err == 0);
  const Failure success = failure_of(authority.client_options());
  BOOST_TEST(success.err == 0);
  BOOST_TEST(success.reason == "");
}

BOOST_AUTO_TEST_CASE(what_is_in_memory_comes_before_files) {
  tls::Identity identity = files();
  identity.certificate_pem = certificate.pem();
  identity.key_pem = certificate.key_pem();
  identity.certificate_file = "/nowhere/certificate.pem";
  identity.key_file = "/nowhere/key.pem";
  BOOST_TEST(failure_of(identity).err == 0);
}

BOOST_AUTO_TEST_CASE(a_server_needs_an_identity_or_pre_shared_keys) {
  const Failure failure = failure_of(tls::ServerOptions{});
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason == "a server needs a certificate and its key");
  const auto find = [](std::string_view) { return tls::PreSharedKey(); };
  BOOST_TEST(failure_of(tls::ServerOptions{.find_psk = find}).err == 0);
}

BOOST_AUTO_TEST_CASE(half_an_identity_is_einval) {
  const Failure without_key = failure_of(tls::Identity{.certificate_pem = certificate.pem()});
  BOOST_TEST(without_key.err == EINVAL);
  BOOST_TEST(without_key.reason == "a certificate needs its key");
  const Failure without_certificate = failure_of(tls::Identity{.key_pem = certificate.key_pem()});
  BOOST_TEST(without_certificate.err == EINVAL);
  BOOST_TEST(without_certificate.reason == "a key needs its certificate");
  tls::Identity both = tls_authority().identity(certificate);
  both.pkcs12 = certificate.pkcs12("");
  const Failure of_both = failure_of(both);
  BOOST_TEST(of_both.err == EINVAL);
  BOOST_TEST(of_both.reason == "an identity is either PEM or PKCS#12");
}

BOOST_AUTO_TEST_CASE(pem_that_cannot_be_read_is_einval_and_says_which) {
  tls::Identity identity = tls_authority().identity(certificate);
  identity.certificate_pem = "no PEM at all";
  Failure failure = failure_of(identity);
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason == "the certificate: no certificate");

  identity = files();
  identity.certificate_file = folder.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
  failure = failure_of(identity);
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason.starts_with(identity.certificate_file + ": "), failure.reason);

  identity = files();
  // The chain is read to its end, too.
  identity.certificate_pem =
      certificate.pem() + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  BOOST_TEST(failure_of(identity).err == EINVAL);

  identity = files();
  identity.key_pem = "no key";
  failure = failure_of(identity);
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason.starts_with("the key: "), failure.reason);
}

BOOST_AUTO_TEST_CASE(the_key_of_another_certificate_is_einval) {
  tls::Identity identity = tls_authority().identity(certificate);
  identity.key_pem = PrivateKey::ec().pem();
  Failure failure = failure_of(identity);
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason.starts_with("the key does not belong to the certificate"), failure.reason);
  identity.key_pem = PrivateKey::ed25519().pem();
  failure = failure_of(identity);
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason.starts_with("the key does not belong to the certificate"), failure.reason);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_not_there_is_enoent_with_its_path) {
  const auto check = [](const Failure& failure) {
    BOOST_TEST(failure.err == ENOENT);
    BOOST_TEST(failure.reason.starts_with("/nowhere/"), failure.reason);
  };
  tls::Identity identity = files();
  identity.certificate_file = "/nowhere/certificate.pem";
  check(failure_of(identity));
  identity = files();
  identity.key_file = "/nowhere/key.pem";
  check(failure_of(identity));
  identity = files();
  identity.ocsp_response_file = "/nowhere/response.der";
  check(failure_of(identity));
  check(failure_of(tls::Identity{.pkcs12_file = "/nowhere/both.p12"}));
  check(failure_of(tls::ClientOptions{.trust = {.ca_file = "/nowhere/ca.pem"}}));
  check(failure_of(tls::ClientOptions{.trust = {.ca_directory = "/nowhere/certs"}}));
  check(failure_of(tls::ClientOptions{.trust = {.crl_file = "/nowhere/crl.pem"}}));
}

BOOST_AUTO_TEST_CASE(a_file_where_a_directory_belongs_and_the_other_way_round_is_told) {
  const std::string file = folder.write("ca.pem", tls_authority().root.pem());
  const Failure no_directory = failure_of(tls::ClientOptions{.trust = {.ca_directory = file}});
  BOOST_TEST(no_directory.err == ENOTDIR);
  BOOST_TEST(says(no_directory, file), no_directory.reason);
  const Failure no_file = failure_of(tls::ClientOptions{.trust = {.ca_file = folder.file("")}});
  BOOST_TEST(no_file.err == EISDIR);
  BOOST_TEST(says(no_file, folder.file("")), no_file.reason);
}

BOOST_DATA_TEST_CASE_F(ContextFixture, a_key_that_others_may_read_or_write_is_eacces,
                       data::make({0604, 0602, 0666}), mode) {
  tls::Identity identity = files(static_cast<mode_t>(mode));
  Failure failure = failure_of(identity);
  BOOST_TEST(failure.err == EACCES);
  BOOST_TEST(failure.reason == identity.key_file + ": others may read or write this key");
  identity.allow_readable_key = true;
  BOOST_TEST(failure_of(identity).err == 0);

  tls::Identity both{
      .pkcs12_file = folder.write("both.p12", certificate.pkcs12("x"), static_cast<mode_t>(mode)),
      .password = "x"};
  failure = failure_of(both);
  BOOST_TEST(failure.err == EACCES);
  BOOST_TEST(failure.reason == both.pkcs12_file + ": others may read or write this key");
  both.allow_readable_key = true;
  BOOST_TEST(failure_of(both).err == 0);
}

BOOST_AUTO_TEST_CASE(a_key_of_owner_and_group_is_taken) {
  BOOST_TEST(failure_of(files(0400)).err == 0);
  BOOST_TEST(failure_of(files(0660)).err == 0);
}

BOOST_AUTO_TEST_CASE(an_encrypted_key_needs_its_password) {
  tls::Identity identity{
      .certificate_pem = certificate.pem(), .key_pem = certificate.key().pem("secret"), .password = "secret"};
  BOOST_TEST(failure_of(identity).err == 0);
  identity.password = "another";
  Failure failure = failure_of(identity);
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason == "the key: the password is wrong");
  identity.password = "";
  failure = failure_of(identity);
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason == "the key: it is encrypted, and no password is given");
  identity.password = std::string(5000, 'x');
  failure = failure_of(identity);
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason == "the key: the password is wrong");
}

BOOST_AUTO_TEST_CASE(pkcs12_that_is_broken_or_has_another_password_is_einval) {
  Failure failure = failure_of(tls::Identity{.pkcs12 = "no PKCS#12"});
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason.starts_with("the PKCS#12 data: "), failure.reason);
  const std::string bytes = certificate.pkcs12("secret");
  failure = failure_of(tls::Identity{.pkcs12 = bytes, .password = "another"});
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason == "the PKCS#12 data: the password is wrong");
  const std::string path = folder.write("cut.p12", bytes.substr(0, bytes.size() / 2));
  failure = failure_of(tls::Identity{.pkcs12_file = path, .password = "secret"});
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason.starts_with(path + ": "), failure.reason);
}

BOOST_AUTO_TEST_CASE(a_key_that_is_too_weak_is_einval_also_behind_the_first_identity) {
  const Certificate weak = tls_authority().server("weak.example.com", PrivateKey::shared_rsa(1024));
  Failure failure = failure_of(tls_authority().identity(weak));
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason == "certificate of CN=weak.example.com: ee key too small");
  tls::ServerOptions options = tls_authority().server_options();
  options.identities.push_back(tls_authority().identity(weak));
  failure = failure_of(options);
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason == "certificate of CN=weak.example.com: ee key too small");
  options.protocol.security_level = 1;
  BOOST_TEST(failure_of(options).err == 0);
}

// ---- versions, ciphers and so on ----

BOOST_AUTO_TEST_CASE(versions_in_the_wrong_order_are_einval) {
  const Failure failure =
      failure_of(tls::ProtocolOptions{.lowest = tls::Version::tls1_3, .highest = tls::Version::tls1_2});
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason == "the lowest version is above the highest");
}

BOOST_AUTO_TEST_CASE(ciphers_and_groups_that_do_not_exist_are_einval_and_named) {
  Failure failure = failure_of(tls::ProtocolOptions{.ciphers = "ROT13"});
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason.starts_with("ciphers \"ROT13\": "), failure.reason);
  failure = failure_of(tls::ProtocolOptions{.cipher_suites = "TLS_ROT13"});
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason.starts_with("cipher suites \"TLS_ROT13\": "), failure.reason);
  failure = failure_of(tls::ProtocolOptions{.groups = "P-12"});
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason.starts_with("groups \"P-12\": "), failure.reason);
  BOOST_TEST(failure_of(tls::ProtocolOptions{.ciphers = "ECDHE+AESGCM",
                                             .cipher_suites = "TLS_AES_128_GCM_SHA256",
                                             .groups = "P-256:X25519"})
                 .err == 0);
}

BOOST_AUTO_TEST_CASE(a_protocol_of_alpn_has_1_to_255_bytes) {
  for (const std::size_t size : {0U, 256U}) {
    const Failure failure = failure_of(tls::ProtocolOptions{.alpn = {"h2", std::string(size, 'x')}});
    BOOST_TEST(failure.err == EINVAL);
    BOOST_TEST(failure.reason == "a protocol of ALPN has 1 to 255 bytes");
  }
  BOOST_TEST(failure_of(tls::ProtocolOptions{.alpn = {std::string(255, 'x')}}).err == 0);
  const std::vector<std::string> most(128, std::string(255, 'x'));
  BOOST_TEST(failure_of(tls::ProtocolOptions{.alpn = most}).err == 0);
  const Failure failure = failure_of(tls::ProtocolOptions{.alpn = std::vector(129, std::string(255, 'x'))});
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason == "the protocols of ALPN are too long together");
}

BOOST_AUTO_TEST_CASE(a_security_level_is_0_to_5) {
  for (const int level : {-1, 6}) {
    const Failure failure = failure_of(tls::ProtocolOptions{.security_level = level});
    BOOST_TEST(failure.err == EINVAL);
    BOOST_TEST(failure.reason == "a security level is 0 to 5");
  }
  BOOST_TEST(failure_of(tls::ProtocolOptions{.security_level = 0}).err == 0);
}

// ---- whom to trust ----

BOOST_AUTO_TEST_CASE(cas_and_lists_that_cannot_be_read_are_einval_and_named) {
  const std::string path = folder.write("empty.pem", "");
  Failure failure = failure_of(tls::ClientOptions{.trust = {.ca_file = path}});
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason == path + ": no certificate");
  failure = failure_of(tls::ClientOptions{.trust = {.crl_file = path}});
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason == path + ": no revocation list");
  failure = failure_of(tls::ClientOptions{.trust = {.ca_pem = "x"}});
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason == "the CAs: no certificate");
  failure = failure_of(tls::ClientOptions{.trust = {.crl_pem = tls_authority().root.pem()}});
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason == "the revocation lists: no revocation list");
}

BOOST_AUTO_TEST_CASE(a_ca_twice_is_a_ca) {
  const std::string pem = tls_authority().root.pem();
  const std::string path = folder.write("ca.pem", pem + pem);
  BOOST_TEST(failure_of(tls::ClientOptions{.trust = {.ca_file = path, .ca_pem = pem}}).err == 0);
}

BOOST_DATA_TEST_CASE(a_pin_is_a_hash_in_base64,
                     data::make({"", "sha256//", "sha1//AAAA", "sha256//AAAA",
                                 "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
                                 "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                 "sha256//AAAAAAAAAAAAAAAAAAAAA*AAAAAAAAAAAAAAAAAAAAA=",
                                 "sha256//AAAAAAAAAAAAAAAAAAAAA=AAAAAAAAAAAAAAAAAAAAA="}),
                     pin) {
  const Failure failure = failure_of(tls::ClientOptions{.trust = {.pinned_keys = {pin}}});
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason ==
             "a pinned key is \"sha256//\" and 32 bytes in base64, not \"" + std::string(pin) + '"');
}

// ---- sessions and keys ----

BOOST_AUTO_TEST_CASE(a_ticket_lives_a_second_to_a_week) {
  tls::ServerOptions options = tls_authority().server_options();
  for (const std::chrono::seconds lifetime :
       {std::chrono::seconds(0), std::chrono::seconds(-1), std::chrono::seconds(7 * 24 * 3600 + 1)}) {
    options.ticket_lifetime = lifetime;
    const Failure failure = failure_of(options);
    BOOST_TEST(failure.err == EINVAL);
    BOOST_TEST(failure.reason == "a ticket lives 1 second to 7 days");
  }
  options.ticket_lifetime = std::chrono::hours(7 * 24);
  BOOST_TEST(failure_of(options).err == 0);
}

BOOST_AUTO_TEST_CASE(a_pre_shared_key_has_a_size) {
  const std::vector<std::byte> key(32);
  const auto of_key = [](std::string name, std::vector<std::byte> bytes) {
    return failure_of(tls::ClientOptions{.trust = {}, .psk = {std::move(name), std::move(bytes)}});
  };
  BOOST_TEST(of_key("name", key).err == 0);
  BOOST_TEST(of_key(std::string(128, 'x'), std::vector<std::byte>(256)).err == 0);
  for (const Failure& failure :
       {of_key(std::string(129, 'x'), key), of_key("name", std::vector<std::byte>(257))}) {
    BOOST_TEST(failure.err == EINVAL);
    BOOST_TEST(failure.reason == "a pre-shared key has at most 256 bytes, and its name 128");
  }
  // The name is sent as text.
  const Failure failure = of_key(std::string("a\0b", 3), key);
  BOOST_TEST(failure.err == EINVAL);
  BOOST_TEST(failure.reason == "the name of a pre-shared key has no NUL and is not empty");
  BOOST_TEST(of_key("", key).err == EINVAL);
}

BOOST_AUTO_TEST_CASE(an_explicit_ticket_key_has_80_bytes) {
  tls::TicketKeys keys;
  BOOST_TEST(keys.rotate(std::vector<std::byte>(79)) == EINVAL);
  BOOST_TEST(keys.rotate(std::vector<std::byte>(81)) == EINVAL);
  BOOST_TEST(keys.rotate(std::vector<std::byte>(80)) == 0);
  BOOST_TEST(keys.rotate() == 0);
}

// ---- a value ----

BOOST_AUTO_TEST_CASE(a_context_is_a_value) {
  const tls::Context none;
  BOOST_TEST(!none);
  tls::Context context = context_for(tls_authority().client_options());
  tls::Context copy = context;
  BOOST_TEST(copy.state() == context.state());
  const tls::Context moved = std::move(context);
  BOOST_TEST(moved.state() == copy.state());
  copy = none;
  BOOST_TEST(!copy);
  copy = moved;
  BOOST_TEST(bool(copy));
}

BOOST_AUTO_TEST_CASE(two_threads_use_a_context_at_the_same_time) {
  constexpr int handshakes = 8;
  std::atomic<int> lines{0};
  const auto count = [&lines](std::string_view) { ++lines; };
  tls::ClientOptions client_options = tls_authority().client_options();
  client_options.protocol = {.alpn = {"a"}, .key_log = count};
  tls::ServerOptions server_options = tls_authority().server_options();
  server_options.identities.push_back(tls_authority().identity(tls_authority().server("*.example.org")));
  server_options.protocol = {.alpn = {"a"}};
  const tls::TicketKeys keys = server_options.ticket_keys;
  const tls::Context client = context_for(client_options);
  const tls::Context server = context_for(server_options);
  std::atomic<int> good{0};
  std::atomic<int> resumed{0};
  // Boost.Test is not for threads, so they only count.
  const auto run = [&](const std::string& name) {
    Loop loop;
    tls::TicketKeys shared = keys;
    for (int i = 0; i < handshakes; ++i) {
      auto [left, right] = memory_stream_pair(loop);
      Request<Stream> connecting = tls::connect(std::move(left), client, {.peer_name = name});
      Request<Stream> accepting = tls::accept(std::move(right), server);
      int err = -1;
      if (!connecting.wait(err) || !accepting.wait(err)) return;
      Stream ours = connecting.recv(err);
      if (err != 0) return;
      Stream theirs = accepting.recv(err);
      if (err != 0) return;
      std::vector<std::byte> buffer(2);
      Request<ssize_t> reading = ours.read(buffer);
      Request<ssize_t> writing = theirs.write("hi");
      if (!reading.wait(err) || !writing.wait(err)) return;
      reading.recv(err);
      if (err != 0) return;
      if (tls::peer(ours, err).is_resumed) ++resumed;
      if (shared.rotate() != 0) return;
      ++good;
    }
  };
  std::thread other(run, "www.example.org");
  run("www.example.com");
  other.join();
  BOOST_TEST(good == 2 * handshakes);
  BOOST_TEST(resumed > 0);
  BOOST_TEST(lines > 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
