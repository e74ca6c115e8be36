// What samba-dcerpcd makes of each kind of request, row by row: what our client may send, what it refuses to
// send, and why. Samba's answers are the same from 4.17 (level 7) to 4.22 (level 8).
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/npa/npa.hpp>
#include <vector>

#include "support/npa_fixture.hpp"
#include "support/rpc.hpp"
#include "support/samba.hpp"

namespace tsock::test {

namespace {

/// How far a client comes.
enum class Stage { no_reply, refused, no_bind, no_call, answered };

std::ostream& operator<<(std::ostream& out, Stage stage) {
  constexpr const char* names[] = {"closed without a reply", "refused with a status", "closed at the bind",
                                   "closed at the call", "answered"};
  return out << names[static_cast<std::size_t>(stage)];
}

struct SambaRowsFixture : NpaFixture {
  std::optional<SambaPlace> place;
  std::optional<SambaDcerpcd> daemon;
  npa::Level level = npa::Level::level7;
  npa::Level other = npa::Level::level8;

  /// \return false if there is no samba-dcerpcd
  bool start() {
    if (!has_samba_dcerpcd()) return false;
    place.emplace();
    daemon.emplace(*place);
    if (stage_of(request(anonymous_client())) == Stage::no_reply) std::swap(level, other);
    BOOST_TEST_REQUIRE(stage_of(request(anonymous_client())) == Stage::answered);
    return true;
  }
  [[nodiscard]] std::vector<std::byte> request(const npa::Identity& identity) const {
    return npa_request(level, identity);
  }
  Stream plain(const char* pipe) {
    int err = 0;
    Request<Stream> connecting = Stream::connect(loop, npa::pipe_address(place->ncalrpc(), pipe, err));
    Stream stream = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
  /// Reads so many bytes, or fewer if the daemon closes before.
  std::string answer(Stream& stream, std::size_t size) {
    std::vector<std::byte> bytes(size);
    Request<ssize_t> reading = stream.read(bytes);
    static_cast<void>(error_of(reading));
    return text_of(std::span(bytes).first(reading.transferred()));
  }
  /// The next message; empty if the daemon closes.
  std::string message(Stream& stream) {
    const std::string length = answer(stream, 2);
    if (length.size() < 2) return {};
    return answer(stream,
                  static_cast<unsigned char>(length[0]) + 256U * static_cast<unsigned char>(length[1]));
  }
  bool send(Stream& stream, std::string_view pdu) {
    const std::string text = little_endian(static_cast<std::uint32_t>(pdu.size()), 2) + std::string(pdu);
    return error_of(stream.write(text)) == 0;
  }

  /// Sends a request as it is, then a bind and a call.
  Stage stage_of(const std::vector<std::byte>& bytes, std::size_t piece = 100000) {
    Stream stream = plain("srvsvc");
    for (std::span<const std::byte> rest = bytes; !rest.empty();
         rest = rest.subspan(std::min(piece, rest.size())))
      if (error_of(stream.write(rest.first(std::min(piece, rest.size())))) != 0) return Stage::no_reply;
    constexpr std::size_t status_in_reply = 32;
    const std::string reply = answer(stream, status_in_reply + 4);
    if (reply.empty()) return Stage::no_reply;
    BOOST_TEST_REQUIRE(reply.size() == status_in_reply + 4);
    if (reply.substr(status_in_reply) != std::string(4, '\0')) return Stage::refused;
    return stage_behind_reply(stream);
  }
  Stage stage_behind_reply(Stream& stream) {
    if (!send(stream, rpc_bind(srvsvc_interface)) || !has_type(message(stream), rpc_bind_ack))
      return Stage::no_bind;
    if (!send(stream, rpc_time_request()) || !has_type(message(stream), rpc_response)) return Stage::no_call;
    return Stage::answered;
  }
  static bool has_type(const std::string& pdu, char type) {
    return pdu.size() > type_of_rpc_pdu && pdu[type_of_rpc_pdu] == type;
  }
};

// In the request of level 7 or 8 that says the least.
constexpr std::size_t session_pointer = 0x2c;

std::vector<std::byte> without_pointer(std::vector<std::byte> bytes, std::size_t at) {
  for (std::size_t i = 0; i < 4; ++i) bytes.at(at + i) = std::byte{0};
  return bytes;
}

npa::Identity only_token() {
  npa::Identity identity = anonymous_client();
  identity.unix_token.reset();
  identity.account.reset();
  identity.unix_names.reset();
  return identity;
}

npa::Identity system_by(npa::Transport transport) {
  npa::Identity identity = anonymous_client();
  int err = 0;
  identity.token.sids = {npa::Sid::parse("S-1-5-18", err)};
  identity.transport = transport;
  return identity;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(npa_samba_rows, SambaRowsFixture)

BOOST_AUTO_TEST_CASE(what_an_identity_has_decides_how_far_it_comes) {
  if (!start()) return;
  npa::Identity identity = only_token();
  BOOST_TEST(stage_of(request(identity)) == Stage::no_call);
  identity.unix_token = anonymous_client().unix_token;
  BOOST_TEST(stage_of(request(identity)) == Stage::no_call);
  identity.account = anonymous_client().account;
  identity.unix_names = anonymous_client().unix_names;
  BOOST_TEST(stage_of(request(identity)) == Stage::answered);

  BOOST_TEST(stage_of(request(system_by(npa::Transport::ncacn_np))) == Stage::no_bind);
  BOOST_TEST(stage_of(request(system_by(npa::Transport::ncalrpc))) == Stage::answered);

  identity.remote_address = npa_address("::1", 1234);
  BOOST_TEST(stage_of(request(identity)) == Stage::answered);
}

BOOST_AUTO_TEST_CASE(what_our_client_cannot_send_is_refused_or_closed) {
  if (!start()) return;
  const std::vector<std::byte> good = request(anonymous_client());
  BOOST_TEST(stage_of(without_pointer(good, session_pointer)) == Stage::no_reply);
  BOOST_TEST(stage_of(npa_request(other)) == Stage::no_reply);
  std::vector<std::byte> bad = good;
  bad[4] = std::byte{'X'};  // the magic
  BOOST_TEST(stage_of(bad) == Stage::no_reply);
  bad = good;
  bad.resize(bad.size() + 4);
  BOOST_TEST(stage_of(with_length(bad, static_cast<std::uint32_t>(bad.size() - 4))) == Stage::no_reply);
  // A name in place of the client's address.
  bad = good;
  const std::string text = text_of(good);
  const std::size_t address = text.find("127.0.0.1", text.find("127.0.0.1") + 1);
  for (std::size_t i = 0; i < 9; ++i) bad.at(address + i) = static_cast<std::byte>("localhost"[i]);
  BOOST_TEST(stage_of(bad) == Stage::refused);
  // The daemon is as well as before.
  BOOST_TEST(stage_of(good) == Stage::answered);
}

BOOST_AUTO_TEST_CASE(a_request_may_come_in_pieces_and_with_what_follows) {
  if (!start()) return;
  BOOST_TEST(stage_of(request(anonymous_client()), 37) == Stage::answered);
  Stream stream = plain("srvsvc");
  const std::string bind = rpc_bind(srvsvc_interface);
  BOOST_TEST(error_of(stream.write(text_of(request(anonymous_client())) +
                                   little_endian(static_cast<std::uint32_t>(bind.size()), 2) + bind)) == 0);
  BOOST_TEST(answer(stream, 36).size() == 36U);
  BOOST_TEST(has_type(message(stream), rpc_bind_ack));
}

BOOST_AUTO_TEST_CASE(a_message_of_nothing_ends_the_pipe) {
  if (!start()) return;
  Stream stream = plain("srvsvc");
  BOOST_TEST(error_of(stream.write(request(anonymous_client()))) == 0);
  BOOST_TEST(answer(stream, 36).size() == 36U);
  BOOST_TEST(send(stream, {}));
  BOOST_TEST(sees_end(stream));
}

// Inside of the 16 bytes of its header it must not be.
BOOST_AUTO_TEST_CASE(a_pdu_may_be_split_behind_its_header) {
  if (!start()) return;
  const std::string bind = rpc_bind(srvsvc_interface);
  for (const std::size_t at : {16U, 20U, 50U}) {
    Request<Stream> connecting =
        npa::connect(loop, place->ncalrpc(), "srvsvc", anonymous_client(), {.level = level});
    int err = 0;
    Stream stream = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0);
    BOOST_TEST(error_of(stream.write(std::string_view(bind).substr(0, at))) == 0);
    BOOST_TEST(error_of(stream.write(std::string_view(bind).substr(at))) == 0);
    BOOST_TEST(has_type(message_of(stream), rpc_bind_ack));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
