#include <sys/socket.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <string>
#include <tsock/memory_stream.hpp>
#include <utility>
#include <vector>

#include "support/npa_fixture.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;

constexpr StreamKind npa_kinds[] = {StreamKind::tcp, StreamKind::unix_socket, StreamKind::memory};
constexpr npa::Level npa_levels[] = {npa::Level::level7, npa::Level::level8};
constexpr npa::FileType npa_modes[] = {npa::FileType::byte_mode, npa::FileType::message_mode};

struct NpaConnectFixture : NpaFixture {
  /// Gives a client of level 7 that answer; `ends`: and closes.
  NpaSide answered(const std::vector<std::byte>& answer, bool ends = true) {
    auto [ours, peer] = unix_pair();
    Request<Stream> connecting =
        npa::connect(std::move(ours), anonymous_client(), {.level = npa::Level::level7});
    BOOST_TEST((read_bytes(peer, npa_request().size()) == npa_request()));
    if (!answer.empty()) BOOST_TEST(error_of(peer.write(answer)) == 0);
    if (ends) peer = Stream();
    NpaSide client;
    take(connecting, client);
    return client;
  }
  Listener pipe(const TempDirectory& directory, const char* name) {
    std::filesystem::create_directory(directory.path() / "np");
    int err = -1;
    Listener listener =
        Listener::listen(loop, Address::unix_from_path(directory / "np" + "/" + name, err), {}, err);
    BOOST_TEST_REQUIRE(err == 0);
    return listener;
  }
  Stream accepted(Listener& listener) {
    Request<Stream> accepting = listener.accept();
    int err = -1;
    Stream stream = fetch(accepting, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(npa_connect, NpaConnectFixture)

BOOST_DATA_TEST_CASE_F(NpaConnectFixture, both_sides_know_what_was_said,
                       data::make(npa_kinds) * data::make(npa_levels) * data::make(npa_modes), kind, level,
                       mode) {
  npa::Identity who = anonymous_client();
  who.session_key = npa::SecretBytes(pattern(16));
  if (level == npa::Level::level8) who.account->is_authenticated = false;
  const npa::Reply says{.file_type = mode, .device_state = 0x1ff, .allocation_size = 8192};
  NpaPair pair = shake(stream_pair(kind), trusting({.reply = says}), who, {.level = level});
  BOOST_TEST_REQUIRE(pair.client.err == 0, pair.client.reason);
  BOOST_TEST_REQUIRE(pair.server.err == 0, pair.server.reason);
  int err = -1;
  for (const NpaSide* side : {&pair.client, &pair.server}) {
    BOOST_TEST((npa::reply(side->stream, err) == says));
    BOOST_TEST(err == 0);
    BOOST_TEST(npa::level(side->stream, err) == level);
    BOOST_TEST(err == 0);
  }
  BOOST_TEST_REQUIRE(npa::identity(pair.server.stream) != nullptr);
  BOOST_TEST((*npa::identity(pair.server.stream) == who));
  BOOST_TEST(npa::identity(pair.client.stream) == nullptr);
  BOOST_TEST((send_through(pair.client.stream, pair.server.stream, pattern(5000)) == pattern(5000)));
  BOOST_TEST((send_through(pair.server.stream, pair.client.stream, pattern(5000)) == pattern(5000)));
}

BOOST_AUTO_TEST_CASE(other_streams_know_nothing_of_npa) {
  auto [left, right] = unix_pair();
  int err = 0;
  BOOST_TEST(npa::identity(left) == nullptr);
  static_cast<void>(npa::reply(left, err));
  BOOST_TEST(err == ENOTSUP);
  static_cast<void>(npa::level(Stream(), err));
  BOOST_TEST(err == ENOTSUP);
}

BOOST_AUTO_TEST_CASE(a_handshake_byte_by_byte_works) {
  NpaPair pair = connected(memory_stream_pair(loop, {.max_transfer = 1}));
  BOOST_TEST((send_through(pair.client.stream, pair.server.stream, pattern(100)) == pattern(100)));
}

BOOST_AUTO_TEST_CASE(a_refusal_is_told_with_its_status) {
  const NpaSide client = answered(npa_reply({.status = npa::NtStatus::access_denied()}));
  BOOST_TEST(client.err == EACCES);
  BOOST_TEST(client.reason == "the server refuses: NT_STATUS_ACCESS_DENIED (0xC0000022)");
}

BOOST_AUTO_TEST_CASE(a_reply_that_is_none_is_eio) {
  std::vector<std::byte> other_magic = npa_reply();
  other_magic[4] = std::byte{'X'};
  std::vector<std::byte> other_mode = npa_reply();
  other_mode[16] = std::byte{3};
  std::vector<std::byte> longer = with_length(npa_reply(), 33);
  longer.push_back(std::byte{0});
  for (const auto& reply :
       {other_magic, other_mode, longer, npa_reply({}, npa::Level::level8), with_length(npa_reply(), 31),
        with_length(npa_reply(), 0), with_length(npa_reply(), 7), with_length(npa_reply(), 15)}) {
    const NpaSide client = answered(reply, false);
    BOOST_TEST(client.err == EIO);
    BOOST_TEST(!client.reason.empty());
  }
}

BOOST_AUTO_TEST_CASE(a_reply_that_is_too_long_is_emsgsize_at_once) {
  for (const std::uint32_t length : {0x01000000U, 0xffffffffU}) {
    const NpaSide client = answered(with_length(npa_reply(), length), false);
    BOOST_TEST(client.err == EMSGSIZE);
    BOOST_TEST(client.reason ==
               "a message of " + std::to_string(length) + " bytes, where 16 to 16777215 are allowed");
  }
}

BOOST_AUTO_TEST_CASE(a_reply_that_is_cut_anywhere_is_eproto) {
  const std::vector<std::byte> reply = npa_reply();
  for (std::size_t size = 0; size < reply.size(); ++size) {
    const NpaSide client = answered({reply.begin(), reply.begin() + static_cast<std::ptrdiff_t>(size)});
    BOOST_TEST(client.err == EPROTO);
    BOOST_TEST(client.reason ==
               (size == 0 ? "the server has closed without a reply, as Samba does when it speaks another "
                            "level or does not understand the request"
                          : "the peer ended the stream during the handshake"));
  }
}

BOOST_AUTO_TEST_CASE(an_identity_that_cannot_be_sent_is_einval) {
  auto [ours, peer] = unix_pair();
  Request<Stream> connecting = npa::connect(std::move(ours), npa::Identity());
  BOOST_TEST(error_of(connecting) == EINVAL);
  BOOST_TEST(!connecting.reason().empty());
  BOOST_TEST(sees_end(peer));
  connecting = npa::connect(loop, "/nowhere", "pipe", npa::Identity());
  BOOST_TEST(error_of(connecting) == EINVAL);
  BOOST_TEST(!npa::connect(Stream(), anonymous_client()));
}

BOOST_AUTO_TEST_CASE(level_8_is_tried_first_and_then_level_7) {
  const TempDirectory directory;
  Listener listener = pipe(directory, "epmapper");
  Request<Stream> connecting = npa::connect(loop, directory.path().string(), "EPMapper", anonymous_client());
  const auto newer = npa_request(npa::Level::level8);
  {
    Stream first = accepted(listener);
    BOOST_TEST((read_bytes(first, newer.size()) == newer));
  }
  Stream second = accepted(listener);
  BOOST_TEST((read_bytes(second, npa_request().size()) == npa_request()));
  BOOST_TEST(error_of(second.write(npa_reply())) == 0);
  int err = -1;
  Stream stream = fetch(connecting, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(npa::level(stream, err) == npa::Level::level7);
  BOOST_TEST((send_through(stream, second, std::vector<std::byte>(3, std::byte{7})).size() == 3));
}

BOOST_AUTO_TEST_CASE(a_server_that_resets_is_tried_again_and_one_that_refuses_is_not) {
  const TempDirectory directory;
  Listener listener = pipe(directory, "x");
  Request<Stream> connecting = npa::connect(loop, directory.path().string(), "x", anonymous_client());
  { const Stream unread = accepted(listener); }  // closed with the request unread
  Stream second = accepted(listener);
  BOOST_TEST(error_of(second.write(npa_reply({.status = npa::NtStatus::pipe_busy()}))) == 0);
  BOOST_TEST(error_of(connecting) == EACCES);
  BOOST_TEST(connecting.reason() == "the server refuses: NT_STATUS_PIPE_BUSY (0xC00000AE)");
}

BOOST_AUTO_TEST_CASE(a_server_that_never_answers_is_told_in_words) {
  const TempDirectory directory;
  Listener listener = pipe(directory, "x");
  for (const bool both : {true, false}) {
    Request<Stream> connecting =
        npa::connect(loop, directory.path().string(), "x", anonymous_client(),
                     {.level = both ? std::nullopt : std::optional(npa::Level::level7)});
    for (int i = 0; i < (both ? 2 : 1); ++i) {
      Stream stream = accepted(listener);
      read_bytes(stream, 4);
    }
    const int err = error_of(connecting);
    BOOST_TEST((err == EPROTO || err == ECONNRESET));
    BOOST_TEST(connecting.reason() ==
               "the server has closed without a reply, as Samba does when it speaks another level or does "
               "not understand the request");
  }
}

BOOST_AUTO_TEST_CASE(a_pipe_that_nobody_serves_and_names_that_are_none_are_told) {
  const TempDirectory directory;
  const std::string path = directory.path().string();
  BOOST_TEST(error_of(npa::connect(loop, path, "pipe", anonymous_client())) == ENOENT);
  for (const std::string& name :
       {std::string(), std::string("a/b"), std::string("a\0b", 3), std::string("."), std::string("..")}) {
    Request<Stream> connecting = npa::connect(loop, path, name, anonymous_client());
    BOOST_TEST(error_of(connecting) == EINVAL);
    BOOST_TEST(connecting.reason() == "no name for a pipe");
  }
  int err = 0;
  BOOST_TEST(npa::pipe_address(path, std::string(200, 'x'), err).is_empty());
  BOOST_TEST(err != 0);
  BOOST_TEST(npa::pipe_address("/d", "LsaRpc", err).string() == "unix:/d/np/lsarpc");
  BOOST_TEST(err == 0);
}

BOOST_DATA_TEST_CASE_F(NpaConnectFixture, a_silent_server_is_ended_by_deadline_or_cancelling,
                       data::make({false, true}) * data::make({false, true}), cancels, by_path) {
  const TempDirectory directory;
  Listener listener = pipe(directory, "x");
  Stream peer;
  Request<Stream> connecting;
  if (by_path) {
    connecting = npa::connect(loop, directory.path().string(), "x", anonymous_client());
    peer = accepted(listener);
  } else {
    auto pair = unix_pair();
    connecting = npa::connect(std::move(pair.first), anonymous_client());
    peer = std::move(pair.second);
  }
  BOOST_TEST(read_bytes(peer, 4).size() == 4U);
  BOOST_TEST(dump().find(" npa_connect ") != std::string::npos);
  if (cancels) {
    connecting.cancel();
  } else {
    connecting.set_timeout(1ms);
  }
  BOOST_TEST(error_of(connecting) == (cancels ? ECANCELED : ETIMEDOUT));
  BOOST_TEST(read_bytes(peer, npa_request(npa::Level::level8).size() - 4).size() != 0U);
  BOOST_TEST(sees_end(peer));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
