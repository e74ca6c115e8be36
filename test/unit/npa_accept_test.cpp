#include <unistd.h>

#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <memory>
#include <memory_resource>
#include <span>
#include <stdexcept>
#include <string>
#include <tsock/memory_stream.hpp>
#include <utility>
#include <vector>

#include "npa/pipe_codec.hpp"
#include "support/npa_fixture.hpp"
#include "support/system.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;

struct NpaAcceptFixture : NpaFixture {
  /// Gives a server those bytes as a request; `ends`: and closes. The client has to see no answer.
  NpaSide requested(const std::vector<std::byte>& bytes, bool ends = false,
                    const npa::AcceptOptions& options = {}) {
    auto [peer, ours] = unix_pair();
    Request<Stream> accepting = npa::accept(std::move(ours), options);
    if (!bytes.empty()) BOOST_TEST(error_of(peer.write(bytes)) == 0);
    if (ends) BOOST_TEST(error_of(peer.shutdown_write()) == 0);
    NpaSide server;
    take(accepting, server);
    BOOST_TEST(sees_end(peer));
    return server;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(npa_accept, NpaAcceptFixture, *boost::unit_test::precondition(more_than_posix))

BOOST_AUTO_TEST_CASE(our_own_processes_are_trusted_and_streams_that_tell_nothing_are_not) {
  NpaPair pair = shake(unix_pair(), {});
  BOOST_TEST(pair.server.err == 0);
  BOOST_TEST(npa::is_root_or_self(unix_pair().first));
  BOOST_TEST(!npa::is_root_or_self(memory_pair().first));
  BOOST_TEST(!npa::is_root_or_self(Stream()));
  for (const StreamKind kind : {StreamKind::memory, StreamKind::tcp}) {
    pair = shake(stream_pair(kind), {});
    BOOST_TEST(pair.server.err == EACCES);
    BOOST_TEST(pair.server.reason == "the stream does not tell whose process its peer is");
    BOOST_TEST((pair.client.err == EPROTO || pair.client.err == ECONNRESET || pair.client.err == EPIPE));
  }
}

BOOST_AUTO_TEST_CASE(a_process_of_another_user_is_not_trusted) {
  if (::geteuid() != 0) {
    BOOST_TEST_MESSAGE("skipped: only root can be somebody else");
    return;
  }
  // The kernel notes who has made the connection.
  BOOST_TEST_REQUIRE(::seteuid(12345) == 0);
  auto below = unix_pair();
  BOOST_TEST_REQUIRE(::seteuid(0) == 0);
  NpaPair pair = shake(std::move(below), {});
  BOOST_TEST(pair.server.err == EACCES);
  BOOST_TEST(pair.server.reason == "the peer is a process of uid 12345, which is not trusted");
  BOOST_TEST(pair.client.err != 0);
}

BOOST_AUTO_TEST_CASE(a_peer_that_is_not_trusted_is_refused_before_a_byte_is_read) {
  for (const bool throws : {false, true}) {
    auto [peer, ours] = unix_pair();
    BOOST_TEST(error_of(peer.write(npa_request())) == 0);
    int asked = 0;
    Request<Stream> accepting = npa::accept(std::move(ours), {.trusts = [&](const Stream& below) -> bool {
                                              ++asked;
                                              int err = -1;
                                              BOOST_TEST(below.peer_credentials(err).uid == ::getuid());
                                              BOOST_TEST(err == 0);
                                              if (throws) throw std::runtime_error("no");
                                              return false;
                                            }});
    BOOST_TEST(asked == 1);
    BOOST_TEST(error_of(accepting) == EACCES);
    BOOST_TEST(accepting.reason() == (throws ? "the function that decides about trust has failed"
                                             : "the peer is a process of uid " + std::to_string(::getuid()) +
                                                   ", which is not trusted"));
    BOOST_TEST(error_of_read(peer) == ECONNRESET);  // nothing of it was read
  }
}

BOOST_AUTO_TEST_CASE(a_request_that_is_cut_anywhere_is_eproto) {
  const std::vector<std::byte> request = npa_request();
  for (std::size_t size = 0; size < request.size(); ++size) {
    const NpaSide server =
        requested({request.begin(), request.begin() + static_cast<std::ptrdiff_t>(size)}, true);
    BOOST_TEST_REQUIRE(server.err == EPROTO);
    BOOST_TEST_REQUIRE(server.reason == "the peer ended the stream during the handshake");
  }
}

BOOST_AUTO_TEST_CASE(another_magic_or_level_is_told_and_not_answered) {
  std::vector<std::byte> magic = npa_request();
  magic[4] = std::byte{'n'};
  BOOST_TEST(requested(magic).err == EPROTONOSUPPORT);
  std::vector<std::byte> level = npa_request();
  level[8] = level[12] = std::byte{6};
  const NpaSide server = requested(level);
  BOOST_TEST(server.err == EPROTONOSUPPORT);
  BOOST_TEST(!server.reason.empty());
  BOOST_TEST(requested(npa_request(npa::Level::level8), false, {.level = npa::Level::level7}).err ==
             EPROTONOSUPPORT);
}

BOOST_AUTO_TEST_CASE(a_length_that_is_not_allowed_is_emsgsize_at_once) {
  for (const std::uint32_t length : {0U, 7U, 0x01000000U, 0xffffffffU}) {
    const NpaSide server = requested(with_length(npa_request(), length));
    BOOST_TEST(server.err == EMSGSIZE);
    BOOST_TEST(server.reason ==
               "a message of " + std::to_string(length) + " bytes, where 8 to 16777215 are allowed");
  }
}

BOOST_AUTO_TEST_CASE(bytes_too_many_or_too_few_inside_of_the_length_are_eproto) {
  std::vector<std::byte> longer = npa_request();
  longer.push_back(std::byte{0});
  longer = with_length(longer, static_cast<std::uint32_t>(longer.size() - 4));
  BOOST_TEST(requested(longer).err == EPROTO);
  std::vector<std::byte> shorter = npa_request();
  shorter.pop_back();
  shorter = with_length(shorter, static_cast<std::uint32_t>(shorter.size() - 4));
  BOOST_TEST(requested(shorter).err == EPROTO);
}

BOOST_DATA_TEST_CASE_F(NpaAcceptFixture, what_follows_the_request_at_once_belongs_to_the_stream,
                       data::make({npa::FileType::byte_mode, npa::FileType::message_mode}), mode) {
  auto [peer, ours] = unix_pair();
  Request<Stream> accepting = npa::accept(std::move(ours), {.reply = {.file_type = mode}});
  std::vector<std::byte> bytes = npa_request();
  const bool is_message = mode == npa::FileType::message_mode;
  for (const std::byte each : bytes_of(is_message ? std::string_view("\3\0abc", 5) : "abc"))
    bytes.push_back(each);
  BOOST_TEST(error_of(peer.write(bytes)) == 0);
  int err = -1;
  Stream stream = fetch(accepting, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(read_text(stream, 3) == "abc");
  BOOST_TEST((read_bytes(peer, 36) == npa_reply({.file_type = mode})));
}

BOOST_AUTO_TEST_CASE(the_answer_may_depend_on_who_the_client_is) {
  const auto options = trusting({.answer = [](const npa::Identity& client) -> npa::Reply {
    if (client.is_anonymous()) return {.status = npa::NtStatus::access_denied()};
    return {.file_type = npa::FileType::byte_mode};
  }});
  NpaPair pair = shake(unix_pair(), options);
  BOOST_TEST(pair.client.err == EACCES);
  BOOST_TEST(pair.client.reason == "the server refuses: NT_STATUS_ACCESS_DENIED (0xC0000022)");
  BOOST_TEST(pair.server.err == EACCES);
  BOOST_TEST(pair.server.reason == "the client is refused: NT_STATUS_ACCESS_DENIED (0xC0000022)");
  int err = -1;
  const npa::Sid sid = npa::Sid::parse("S-1-5-21-1-2-3-1000", err);
  const npa::Identity user =
      npa::Identity::user(sid, "DOMAIN", "somebody", {.uid = 1000, .gid = 1000, .groups = {1000}},
                          npa_address("192.0.2.1", 5000), npa_address("192.0.2.2", 445));
  pair = shake(unix_pair(), options, user, {.level = npa::Level::level7});
  BOOST_TEST(pair.client.err == 0);
  BOOST_TEST((*npa::identity(pair.server.stream) == user));
  BOOST_TEST(npa::reply(pair.client.stream, err).file_type == npa::FileType::byte_mode);
}

BOOST_AUTO_TEST_CASE(an_answer_that_throws_is_an_internal_error_and_one_without_a_mode_einval) {
  NpaPair pair = shake(
      unix_pair(), {.answer = [](const npa::Identity&) -> npa::Reply { throw std::runtime_error("no"); }});
  BOOST_TEST(pair.client.err == EACCES);
  BOOST_TEST(pair.client.reason == "the server refuses: NT_STATUS_INTERNAL_ERROR (0xC00000E5)");
  pair = shake(unix_pair(), {.reply = {.file_type = static_cast<npa::FileType>(3)}});
  BOOST_TEST(pair.server.err == EINVAL);
  BOOST_TEST(pair.client.err == EPROTO);
}

BOOST_AUTO_TEST_CASE(the_function_that_decides_about_trust_may_destroy_the_loop) {
  for (const bool is_trusted : {true, false}) {
    auto own = std::make_unique<Loop>();
    auto pair = memory_stream_pair(*own);
    Request<Stream> accepting = npa::accept(std::move(pair.first), {.trusts = [&](const Stream&) {
                                              own.reset();
                                              return is_trusted;
                                            }});
    int err = 0;
    BOOST_TEST(!accepting.recv(err).is_open());
    BOOST_TEST(err == ECANCELED);
  }
}

BOOST_AUTO_TEST_CASE(an_empty_stream_gives_an_empty_request_and_a_closed_one_enotconn) {
  BOOST_TEST(!npa::accept(Stream()));
  auto [peer, ours] = unix_pair();
  BOOST_TEST(error_of(ours.disconnect()) == 0);
  BOOST_TEST(error_of(npa::accept(std::move(ours))) == ENOTCONN);
}

BOOST_AUTO_TEST_CASE(a_request_is_wiped_once_it_is_read) {
  std::vector<std::byte> request = npa_request();
  npa::ServerCodec codec(trusting());
  layer::ByteBlock out(*std::pmr::new_delete_resource());
  bool answers = false;
  BOOST_TEST(codec.handshake(std::span(request).subspan(4), out, answers) == 0);
  BOOST_TEST(answers);
  BOOST_TEST(
      std::ranges::all_of(std::span(request).subspan(4), [](std::byte b) { return b == std::byte{0}; }));
}

BOOST_AUTO_TEST_CASE(a_refusal_leaves_before_the_stream_is_closed) {
  for (int i = 0; i < 20; ++i) {
    NpaPair pair = shake(memory_pair(), trusting({.reply = {.status = npa::NtStatus::pipe_busy()}}));
    BOOST_TEST(pair.client.err == EACCES);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
