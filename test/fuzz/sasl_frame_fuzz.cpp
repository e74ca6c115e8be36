// What a peer sends that knows no password: to the security layer of DIGEST-MD5, alone or behind a message
// that is genuine, and to both sides of the handshake of connect() and accept(). Nothing of it may be taken
// for bytes of the user or for a proof. The first byte chooses which, the second the size of pieces; the rest
// is what the peer sends, for a handshake tokens behind a byte with their length.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tsock/buffer.hpp>
#include <tsock/sasl/sasl.hpp>
#include <utility>
#include <vector>

#include "layer/record_engine.hpp"
#include "sasl/client_state.hpp"
#include "sasl/sasl_codec.hpp"
#include "sasl/sasl_mechanism.hpp"
#include "sasl/server_state.hpp"

namespace {

using tsock::layer::ByteBlock;
using tsock::layer::RecordEngine;
using tsock::layer::Step;
namespace sasl = tsock::sasl;

constexpr std::string_view genuine = "genuine";

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

std::shared_ptr<sasl::ClientState> make_client(std::vector<std::string> mechanisms) {
  sasl::ClientOptions options{.service = "tsock", .host = "localhost", .mechanisms = std::move(mechanisms)};
  options.user = [] { return std::string("alice"); };
  options.password = [] { return std::string("alicepw"); };
  options.security.highest_strength = 1;  // the library's ciphers leak
  auto state = std::make_shared<sasl::ClientState>(options);
  require(state->open() == 0, "no client");
  return state;
}

std::shared_ptr<sasl::ServerState> make_server() {
  sasl::ServerOptions options{.service = "tsock", .host = "localhost"};
  options.password_of = [](std::string_view) { return std::optional<std::string>("alicepw"); };
  options.mechanisms = {"DIGEST-MD5", "SCRAM-SHA-256", "CRAM-MD5"};
  auto state = std::make_shared<sasl::ServerState>(options);
  require(state->open() == 0, "no server");
  return state;
}

void authenticate(sasl::ClientState& client, sasl::ServerState& server) {
  int err = 0;
  static_cast<void>(client.start("DIGEST-MD5", err));
  sasl::Reply reply = server.start("DIGEST-MD5", std::nullopt, err);
  reply = client.step(*reply.bytes, err);
  reply = server.step(*reply.bytes, err);
  static_cast<void>(client.step(*reply.bytes, err));
  require(client.is_done() && server.is_done(), "no session");
}

void attack_layer(std::span<const std::byte> input, std::size_t piece, bool begins_genuine) {
  const auto client = make_client({"DIGEST-MD5"});
  const auto server = make_server();
  authenticate(*client, *server);
  auto& memory = *std::pmr::new_delete_resource();
  RecordEngine engine(std::make_unique<sasl::SaslCodec>(server), sasl::SaslCodec::format(*server), memory);
  ByteBlock in(memory);
  ByteBlock out(memory);
  if (begins_genuine) {
    std::span<const std::byte> message;
    require(client->encode(std::as_bytes(std::span(genuine)), message) == 0, "no message");
    require(in.append(message), "no memory");
  }
  std::string plain;
  std::vector<std::byte> buffer(50);
  for (;;) {
    const tsock::iovec vector = tsock::make_vector(std::span<std::byte>(buffer));
    std::size_t given = 0;
    const Step step = engine.unwrap(in, input.empty(), {&vector, 1}, given, out);
    plain.append(reinterpret_cast<const char*>(buffer.data()), given);
    if (step.err != 0) break;
    if (given != 0) continue;
    require(!input.empty() && step.input > in.size(), "it asks for what it has");
    const std::size_t size = std::min(piece, input.size());
    require(in.append(input.first(size)), "no memory");
    input = input.subspan(size);
  }
  require(plain == (begins_genuine ? genuine : std::string_view()), "bytes that nobody has protected");
}

void attack_handshake(std::span<const std::byte> input, sasl::SaslMechanism& mechanism) {
  int err = EAGAIN;
  std::vector<std::byte> answer;
  bool answers = false;
  if (mechanism.begins()) err = mechanism.step({}, answer, answers);
  while (err == EAGAIN && !input.empty()) {
    const std::size_t length = std::min(std::to_integer<std::size_t>(input[0]), input.size() - 1);
    answer.clear();
    answers = false;
    err = mechanism.step(input.subspan(1, length), answer, answers);
    input = input.subspan(1 + length);
  }
  require(err != 0, "a peer without a password is accepted");
}

}  // namespace

// libdigestmd5 loses what it has read of a challenge that it refuses, and its ciphers contexts of libcrypto.
extern "C" const char* __asan_default_options();  // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __asan_default_options() {
  return "detect_leaks=0";
}  // NOLINT(bugprone-reserved-identifier)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) return 0;
  const auto input = std::as_bytes(std::span(bytes, size)).subspan(2);
  switch (bytes[0] % 4) {
    case 0:
    case 1:
      attack_layer(input, bytes[1] + 1U, bytes[0] % 4 == 1);
      break;
    case 2: {
      sasl::SaslServerMechanism server(make_server());
      attack_handshake(input, server);
      break;
    }
    default: {
      // Those that prove the server, too.
      sasl::SaslClientMechanism client(make_client({"DIGEST-MD5", "SCRAM-SHA-256"}));
      attack_handshake(input, client);
    }
  }
  return 0;
}
