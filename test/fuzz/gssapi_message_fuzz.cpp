// What somebody does to a GSSAPI stream who has no key, in each of its frames. Nothing that he says may be
// taken for bytes of the user or for a proof; of genuine messages that he cuts, changes, repeats, drops or
// moves, what is read is the beginning of what was written. The first byte chooses the attack, the frame and
// the protection, the second the size of pieces; the rest is what he sends, or does.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <tsock/buffer.hpp>
#include <tsock/gssapi/gssapi.hpp>
#include <utility>
#include <vector>

#include "fuzz/forged_ticket.hpp"
#include "gssapi/gss_codec.hpp"
#include "gssapi/gss_mechanism.hpp"
#include "gssapi/message_format.hpp"
#include "layer/record_engine.hpp"

namespace {

using tsock::layer::ByteBlock;
using tsock::layer::RecordEngine;
using tsock::layer::Step;
namespace gssapi = tsock::gssapi;
using Bytes = std::vector<std::byte>;

constexpr std::string_view texts[] = {"genuine", "a second message", "and the last one of the three"};
constexpr std::size_t longest = 1000;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

struct Variant {
  gssapi::Protection protection;
  gssapi::MessageOptions messages;
};

std::unique_ptr<gssapi::Context> client_context(const Variant& variant) {
  gssapi::ConnectOptions options{.target = tsock::fuzz::ForgedTicket::target};
  options.credentials = gssapi::Credentials::from_ccache(tsock::fuzz::ForgedTicket::ccache);
  options.protection = variant.protection;
  auto context = gssapi::Context::create(options);
  context->demand_sequence();
  return context;
}

std::unique_ptr<gssapi::Context> server_context(const Variant& variant) {
  gssapi::AcceptOptions options;
  options.credentials = gssapi::Credentials::from_keytab(tsock::fuzz::ForgedTicket::keytab);
  options.protection = variant.protection;
  auto context = gssapi::Context::create(options);
  context->demand_sequence();
  return context;
}

/// One end of a stream whose handshake is over.
class End {
 public:
  End(std::unique_ptr<gssapi::Context> context, const Variant& variant)
      : engine_(std::make_unique<gssapi::GssCodec>(std::move(context), variant.messages),
                gssapi::format_of(variant.messages, variant.protection), *std::pmr::new_delete_resource()) {}

  Bytes write(std::string_view text) {
    const tsock::iovec vector{const_cast<char*>(text.data()), text.size()};
    std::size_t taken = 0;
    ByteBlock out(*std::pmr::new_delete_resource());
    require(engine_.wrap({&vector, 1}, taken, out).err == 0 && taken == text.size(), "no message");
    return {out.bytes().begin(), out.bytes().end()};
  }
  /// What the user reads until the stream ends. \return why it ends
  int read(std::span<const std::byte> input, std::size_t piece, std::string& plain) {
    ByteBlock in(*std::pmr::new_delete_resource());
    ByteBlock out(*std::pmr::new_delete_resource());
    Bytes buffer(10);
    for (;;) {
      const tsock::iovec vector = tsock::make_vector(std::span<std::byte>(buffer));
      std::size_t given = 0;
      const Step step = engine_.unwrap(in, input.empty(), {&vector, 1}, given, out);
      plain.append(reinterpret_cast<const char*>(buffer.data()), given);
      if (step.err != 0) {
        require(step.err == EPIPE || !engine_.reason().empty(), "an end without words");
        return step.err;
      }
      if (given != 0) continue;
      require(!input.empty() && step.input > in.size(), "it asks for what it has");
      const std::size_t size = std::min(piece, input.size());
      require(in.append(input.first(size)), "no memory");
      input = input.subspan(size);
    }
  }

 private:
  RecordEngine engine_;
};

struct Ends {
  End client;
  End server;
};

Ends both_ends(const Variant& variant) {
  auto client = client_context(variant);
  auto server = server_context(variant);
  Bytes token;
  Bytes answer;
  bool answers = false;
  require(client->step({}, token, answers) == EAGAIN, "no first token");
  require(server->step(token, answer, answers) == 0, "the server refuses a genuine ticket");
  require(client->step(answer, token, answers) == 0, "the client refuses the server");
  return {{std::move(client), variant}, {std::move(server), variant}};
}

void attack_with_bytes(const Variant& variant, std::span<const std::byte> input, std::size_t piece,
                       bool begins_genuine) {
  auto [client, server] = both_ends(variant);
  Bytes bytes;
  if (begins_genuine) bytes = client.write(texts[0]);
  bytes.insert(bytes.end(), input.begin(), input.end());
  std::string plain;
  const int err = server.read(bytes, piece, plain);
  require(plain == (begins_genuine ? texts[0] : std::string_view()), "bytes that nobody has protected");
  require(!input.empty() || err == EPIPE, "an end that is none");
}

// Messages that a reader who meets no error has been given. Those without bytes are skipped in the frame of
// MIT's samples, whoever has sent them.
std::size_t count_messages(const Variant& variant, const std::vector<Bytes>& messages,
                           std::span<const std::byte> bytes) {
  if (variant.messages.frame != gssapi::Frame::mit_sample) {
    const auto is_there = [](const Bytes& message) { return !message.empty(); };
    return static_cast<std::size_t>(std::count_if(messages.begin(), messages.end(), is_there));
  }
  constexpr std::size_t header = 5;  // flags, and a length in network order
  std::size_t count = 0;
  while (bytes.size() >= header) {
    std::size_t length = 0;
    for (const std::byte byte : bytes.subspan(1, header - 1))
      length = length << 8U | std::to_integer<std::size_t>(byte);
    if (length != 0) ++count;
    bytes = bytes.subspan(std::min(bytes.size(), header + length));
  }
  return count;
}

// Each three bytes of the input are something that is done to the messages, and where.
void attack_messages(const Variant& variant, std::span<const std::byte> input, std::size_t piece) {
  auto [client, server] = both_ends(variant);
  std::vector<Bytes> messages;
  std::string whole;
  for (const std::string_view text : texts) {
    messages.push_back(client.write(text));
    whole += text;
  }
  const std::vector<Bytes> genuine = messages;
  for (; input.size() >= 3 && !messages.empty() && messages.size() < 8; input = input.subspan(3)) {
    const std::size_t which = std::to_integer<std::size_t>(input[1]) % messages.size();
    Bytes& message = messages[which];
    const std::size_t place = std::to_integer<std::size_t>(input[2]) % (message.size() + 1);
    const auto at = message.begin() + static_cast<std::ptrdiff_t>(place);
    const auto kind = std::to_integer<unsigned>(input[0]);
    switch (kind % 6) {
      case 0:
        if (at != message.end()) *at ^= std::byte{1} << (kind / 6 % 8);
        break;
      case 1:
        message.erase(at, message.end());
        break;
      case 2:
        message.insert(at, static_cast<std::byte>(kind / 6));
        break;
      case 3:
        messages.insert(messages.begin() + static_cast<std::ptrdiff_t>(place % (messages.size() + 1)),
                        Bytes(message));
        break;
      case 4:
        messages.erase(messages.begin() + static_cast<std::ptrdiff_t>(which));
        break;
      default:
        std::swap(message, messages[place % messages.size()]);
    }
  }
  Bytes bytes;
  for (const Bytes& message : messages) bytes.insert(bytes.end(), message.begin(), message.end());
  std::string plain;
  const int err = server.read(bytes, piece, plain);
  require(whole.starts_with(plain), "other bytes than were written");
  require(messages != genuine || (plain == whole && err == EPIPE), "less than was written");
  // Only messages from the end are missed by nobody.
  const std::size_t arrived = count_messages(variant, messages, bytes);
  std::string expected;
  for (std::size_t i = 0; i < std::min(arrived, std::size(texts)); ++i) expected += texts[i];
  require(err != EPIPE || (arrived <= std::size(texts) && plain == expected), "an end that is none");
}

// Tokens behind a byte with their length.
void attack_handshake(gssapi::GssMechanism& mechanism, std::span<const std::byte> input) {
  int err = EAGAIN;
  Bytes answer;
  bool answers = false;
  if (mechanism.begins()) err = mechanism.step({}, answer, answers);
  while (err == EAGAIN && !input.empty()) {
    const std::size_t length = std::min(std::to_integer<std::size_t>(input[0]), input.size() - 1);
    err = mechanism.step(input.subspan(1, length), answer, answers);
    input = input.subspan(1 + length);
  }
  require(err != 0, "a peer without a key is accepted");
  require(err == EAGAIN || !mechanism.reason().empty(), "a refusal without words");
}

// Each three bytes of the input change one of a genuine token, whose ticket has parts that prove nothing:
// what is accepted nevertheless works.
void attack_first_token(const Variant& variant, std::span<const std::byte> input) {
  auto client = client_context(variant);
  auto server = server_context(variant);
  Bytes token;
  bool answers = false;
  require(client->step({}, token, answers) == EAGAIN, "no first token");
  for (; input.size() >= 3; input = input.subspan(3)) {
    const std::size_t place =
        std::to_integer<std::size_t>(input[0]) << 8U | std::to_integer<std::size_t>(input[1]);
    token[place % token.size()] ^= input[2];
  }
  Bytes answer;
  if (server->step(token, answer, answers) != 0) return;
  if (client->step(answer, token, answers) != 0) return;
  require(server->peer().name == "alice@FUZZ.TEST", "somebody else");
  End sender(std::move(client), variant);
  End receiver(std::move(server), variant);
  std::string plain;
  receiver.read(sender.write(texts[0]), longest, plain);
  require(plain == texts[0], "a context that does not work");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const tsock::fuzz::ForgedTicket ticket;
  if (size < 2) return 0;
  const std::size_t piece = bytes[1] + 1U;
  constexpr gssapi::Frame frames[] = {gssapi::Frame::length, gssapi::Frame::postgresql,
                                      gssapi::Frame::mit_sample};
  Variant variant{
      (bytes[0] & 0x80U) != 0 ? gssapi::Protection::integrity : gssapi::Protection::confidentiality, {}};
  variant.messages.frame = frames[bytes[0] / 8U % 3];
  variant.messages.most_received = longest;
  variant.messages.most_sent = longest;
  variant.messages = gssapi::limits_of(variant.messages);
  const auto input = std::as_bytes(std::span(bytes, size)).subspan(2);
  switch (bytes[0] % 8) {
    case 0:
      attack_with_bytes(variant, input, piece, false);
      break;
    case 1:
      attack_with_bytes(variant, input, piece, true);
      break;
    case 2: {
      gssapi::GssMechanism server(server_context(variant), variant.messages);
      attack_handshake(server, input);
      break;
    }
    case 3: {
      gssapi::GssMechanism client(client_context(variant), variant.messages);
      attack_handshake(client, input);
      break;
    }
    case 4:
      attack_first_token(variant, input);
      break;
    default:
      attack_messages(variant, input, piece);
  }
  return 0;
}
