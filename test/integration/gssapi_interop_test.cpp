// MIT's sample programs as peers.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <tsock/gssapi/gssapi.hpp>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/kdc.hpp"
#include "support/loop_fixture.hpp"
#include "support/port_apart.hpp"
#include "support/process.hpp"

namespace tsock::test {

namespace data = boost::unit_test::data;

namespace {

using gssapi::Protection;
using gssapi::SecurityContext;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

constexpr std::string_view sample_mechanisms[] = {"kerberos", "spnego"};

struct SampleFixture : LoopFixture {
  Kdc* kdc = Kdc::get();

  [[nodiscard]] bool can_run(const char* program) const { return kdc != nullptr && has_program(program); }

  Listener listen() {
    int err = 0;
    Listener listener = Listener::listen(loop, loopback_v4(), {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    return listener;
  }
  Stream accept_one(Listener& listener) {
    Request<Stream> accepting = listener.accept();
    int err = 0;
    Stream stream = fetch(accepting, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
  /// One of the samples' tokens. \return with its flags
  std::vector<std::byte> read_sample(Stream& stream, unsigned& flags) {
    std::vector<std::byte> header(5);
    Request<ssize_t> reading = stream.read(header);
    BOOST_TEST_REQUIRE(error_of(reading) == 0);
    flags = std::to_integer<unsigned>(header[0]);
    std::vector<std::byte> token(std::to_integer<std::size_t>(header[3]) << 8U |
                                 std::to_integer<std::size_t>(header[4]));
    if (token.empty()) return token;
    reading = stream.read(token);
    BOOST_TEST_REQUIRE(error_of(reading) == 0);
    return token;
  }
  void write_sample(Stream& stream, unsigned flags, const std::vector<std::byte>& token) {
    std::vector<std::byte> bytes{static_cast<std::byte>(flags), std::byte{0}, std::byte{0},
                                 static_cast<std::byte>(token.size() >> 8U),
                                 static_cast<std::byte>(token.size() & 0xffU)};
    bytes.insert(bytes.end(), token.begin(), token.end());
    BOOST_TEST(error_of(stream.write(bytes)) == 0);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(gssapi_samples, SampleFixture)

BOOST_DATA_TEST_CASE_F(SampleFixture, gss_server_reads_what_a_stream_writes,
                       data::make(sample_mechanisms) * data::make({false, true}), mechanism, seals) {
  if (!can_run("gss-server")) return;
  const std::uint16_t port = port_apart();
  Process server(
      {"stdbuf", "-o0", "gss-server", "-port", std::to_string(port), "-once", "gsstest@localhost"});
  // It does not tell when it listens.
  Stream below;
  BOOST_TEST_REQUIRE(run_until([&] {
    Request<Stream> connecting = Stream::connect(loop, loopback_v4(port));
    int err = 0;
    below = fetch(connecting, err);
    return err == 0 || error_of(loop.sleep(5ms)) != 0;
  }));
  BOOST_TEST_REQUIRE(below.is_open());
  gssapi::ConnectOptions options{.target = "gsstest@localhost", .mechanism = std::string(mechanism)};
  options.protection = seals ? Protection::confidentiality : Protection::integrity;
  options.messages.frame = gssapi::Frame::mit_sample;
  Request<Stream> connecting = gssapi::connect(std::move(below), options);
  int err = -1;
  Stream stream = fetch(connecting, err);
  BOOST_TEST_REQUIRE(err == 0, connecting.reason());
  BOOST_TEST(error_of(stream.write("hello from tsock")) == 0);
  // It answers each message with one that is empty.
  BOOST_TEST(error_of(stream.write("and again")) == 0);
  server.wait_for_output("and again");
  BOOST_TEST(error_of(stream.disconnect()) == 0);
  server.finish();
  BOOST_TEST(server.output().find("alice@TSOCK.TEST") != std::string::npos, server.output());
  BOOST_TEST(server.output().find("hello from tsock") != std::string::npos, server.output());
  BOOST_TEST(server.output().find("and again") != std::string::npos, server.output());
}

BOOST_DATA_TEST_CASE_F(SampleFixture, a_stream_reads_what_gss_client_writes, data::make(sample_mechanisms),
                       mechanism) {
  if (!can_run("gss-client")) return;
  Listener listener = listen();
  std::vector<std::string> words{"gss-client", "-port",
                                 std::to_string(listener.local_address().port().value_or(0)), "-seq", "-nm"};
  if (mechanism == "spnego") words.insert(words.end(), {"-spnego"});
  words.insert(words.end(), {"localhost", "gsstest@localhost", "hello from MIT"});
  Process client(std::move(words));
  Request<Stream> accepting =
      gssapi::accept(accept_one(listener), {.messages = {.frame = gssapi::Frame::mit_sample}});
  int err = -1;
  Stream stream = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0, accepting.reason());
  BOOST_TEST(gssapi::peer(stream, err).name == "alice@TSOCK.TEST");
  std::vector<std::byte> buffer(14);
  Request<ssize_t> reading = stream.read(buffer);
  BOOST_TEST(error_of(reading) == 0);
  BOOST_TEST(text_of(buffer) == "hello from MIT");
  BOOST_TEST(error_of(stream.write("thanks")) == 0);
  // Its last message is empty; then it ends.
  reading = stream.read(std::span(buffer).first(1));
  BOOST_TEST(error_of(reading) == EPIPE);
  BOOST_TEST(client.finish() == 0, client.error());
  BOOST_TEST(client.output().find("Response received") != std::string::npos, client.output());
}

BOOST_AUTO_TEST_CASE(a_context_without_a_stream_signs_for_gss_client) {
  if (!can_run("gss-client")) return;
  Listener listener = listen();
  Process client({"gss-client", "-port", std::to_string(listener.local_address().port().value_or(0)),
                  "localhost", "gsstest@localhost", "hello from MIT"});
  Stream stream = accept_one(listener);
  unsigned flags = 0;
  BOOST_TEST(read_sample(stream, flags).empty());
  BOOST_TEST(flags == 0x11U);
  SecurityContext context = SecurityContext::server();
  int err = EAGAIN;
  while (err == EAGAIN) {
    const std::vector<std::byte> token = read_sample(stream, flags);
    BOOST_TEST(flags == 0x02U);
    std::vector<std::byte> answer;
    bool answers = false;
    err = context.step(token, answer, answers);
    if (answers) write_sample(stream, 0x02, answer);
  }
  BOOST_TEST_REQUIRE(err == 0, context.reason());
  std::vector<std::byte> message = read_sample(stream, flags);
  BOOST_TEST(flags == 0xe4U);
  std::vector<std::byte> plain;
  Protection protection{};
  BOOST_TEST(context.unwrap(message, plain, protection) == 0, context.reason());
  BOOST_TEST(text_of(plain) == "hello from MIT");
  BOOST_TEST((protection == Protection::confidentiality));
  std::vector<std::byte> signature;
  BOOST_TEST(context.sign(plain, signature) == 0);
  write_sample(stream, 0x08, signature);
  BOOST_TEST(client.finish() == 0, client.error());
  BOOST_TEST(client.output().find("Signature verified") != std::string::npos, client.output());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
