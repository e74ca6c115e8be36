// Passwords of keys, keys and pre-shared keys of TLS stand in memory no longer than they are needed.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <tsock/tls/tls.hpp>
#include <tsock/tsock.hpp>
#include <tsock/unique_fd.hpp>
#include <utility>
#include <vector>

#include "support/memory_scan.hpp"
#include "support/process.hpp"
#include "support/tls_fixture.hpp"

namespace tsock::test {

namespace data = boost::unit_test::data;
using boost::unit_test::precondition;

namespace {

constexpr std::size_t key_sizes[] = {16, 48, 200};
// Those of strings without memory of their own, in libstdc++ and in libc++, of one with a small block, and of
// a large one.
constexpr std::size_t password_sizes[] = {15, 22, 48, 200};

std::vector<std::byte> marked_key(const MarkedSecret& secret) {
  std::vector<std::byte> bytes;
  secret.lend([&bytes](std::string_view text) {
    const auto all = std::as_bytes(std::span(text));
    bytes.assign(all.begin(), all.end());
  });
  return bytes;
}

void write_all(const UniqueFd& file, std::string_view text) {
  BOOST_TEST(::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

int context_error(const tls::ServerOptions& options) {
  int err = -1;
  std::string reason;
  static_cast<void>(tls::Context::server(options, err, reason));
  return err;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(tls_secrets, TlsFixture, *precondition(memory_can_be_scanned))

BOOST_DATA_TEST_CASE(a_pre_shared_key_goes_with_its_contexts,
                     data::make(tls_versions) * data::make(key_sizes), version, size) {
  const MarkedSecret secret(size);
  {
    tls::ClientOptions client{.trust = {}, .protocol = at_version(version)};
    client.psk = {"alice", marked_key(secret)};
    const tls::ServerOptions server{.find_psk =
                                        [&secret](std::string_view name) {
                                          return tls::PreSharedKey(std::string(name), marked_key(secret));
                                        },
                                    .protocol = at_version(version)};
    const TlsPair pair = connected(context_for(client), context_for(server), {});
    BOOST_TEST(pair.server.peer().psk_identity == "alice");
  }
  BOOST_TEST(secret.copies() == nowhere);
}

BOOST_DATA_TEST_CASE(a_password_of_a_key_is_kept_nowhere,
                     data::make({false, true}) * data::make(password_sizes), is_pkcs12, size) {
  const MarkedSecret secret(size);
  const Certificate certificate = tls_authority().server();
  tls::ServerOptions options{.identities = {{}}};
  tls::Identity& identity = options.identities.front();
  if (is_pkcs12) {
    identity.pkcs12 = certificate.pkcs12("another");
  } else {
    identity.certificate_pem = certificate.pem();
    identity.key_pem = certificate.key().pem("another");
  }
  // Assigning a string would leave the characters of a short one in it.
  secret.lend([&identity](std::string_view text) { identity.password = text; });
  BOOST_TEST(context_error(options) == EINVAL);
  MarkedSecret::wipe(identity.password);
  BOOST_TEST(secret.copies() == nowhere);
}

// In place of a key there is something that is as long as one. A pipe does not say how long it is. The line
// behind it is for OpenSSL, which does not wipe the block that it reads lines into.
BOOST_DATA_TEST_CASE(a_key_in_a_file_is_kept_nowhere,
                     data::make({false, true}) * data::make({400U, 5000U, 20'000U}), is_pipe, size) {
  const MarkedSecret secret(size);
  const TemporaryFolder folder;
  std::array<int, 2> ends{};
  BOOST_TEST_REQUIRE(::pipe(ends.data()) == 0);
  const UniqueFd out(ends[0]);
  std::string path = "/dev/fd/" + std::to_string(out.get());
  {
    UniqueFd in(ends[1]);
    if (!is_pipe) {
      path = folder.file("key.pem");
      in = UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    }
    secret.lend([&in](std::string_view text) { write_all(in, text); });
    write_all(in, '\n' + std::string(300, 'x') + '\n');
  }
  tls::Identity identity{.key_file = path};
  identity.certificate_pem = tls_authority().server().pem();
  BOOST_TEST(context_error({.identities = {identity}}) == EINVAL);
  BOOST_TEST(secret.copies() == nowhere);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
