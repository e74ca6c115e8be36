#include <array>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <string>
#include <string_view>
#include <tsock/memory_stream.hpp>
#include <utility>
#include <vector>

#include "support/npa_fixture.hpp"
#include "support/rpc.hpp"
#include "support/system.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;
using namespace std::string_view_literals;

struct NpaMessageFixture : NpaFixture {
  /// A stream in message mode, and the bytes below its other end.
  std::pair<Stream, Stream> raw_pair() {
    auto [ours, peer] = unix_pair();
    Request<Stream> connecting =
        npa::connect(std::move(ours), anonymous_client(), {.level = npa::Level::level7});
    read_bytes(peer, npa_request().size());
    BOOST_TEST(error_of(peer.write(npa_reply())) == 0);
    int err = -1;
    Stream stream = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0);
    return {std::move(stream), std::move(peer)};
  }
};

constexpr std::size_t longest_message = 65535;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(npa_message, NpaMessageFixture)

BOOST_AUTO_TEST_CASE(each_write_is_one_message_with_its_length_in_front) {
  auto [stream, peer] = raw_pair();
  Queue queue(loop);
  const std::string text = "abcdef";
  const auto part = [&](std::size_t begin, std::size_t size) {
    return make_vector(std::as_bytes(std::span(std::string_view(text).substr(begin, size))));
  };
  const std::array gathered{part(2, 1), part(3, 0), part(3, 3)};
  Request<ssize_t> first = stream.write(queue, std::string_view(text).substr(0, 1));
  Request<ssize_t> second = stream.write(queue, std::string_view(text).substr(1, 1));
  Request<ssize_t> third = stream.writev(queue, gathered);
  BOOST_TEST(read_text(peer, 12) == "\1\0a\1\0b\4\0cdef"sv);
  int err = 0;
  BOOST_TEST(fetch(third, err) == 4);  // without the header
  BOOST_TEST(error_of(first) == 0);
  BOOST_TEST(error_of(second) == 0);
}

BOOST_AUTO_TEST_CASE(the_longest_message_has_65535_bytes) {
  auto [stream, peer] = raw_pair();
  const std::vector<std::byte> bytes = pattern(longest_message);
  Request<ssize_t> writing = stream.write(bytes);
  BOOST_TEST(read_text(peer, 2) == "\xff\xff");
  BOOST_TEST((read_bytes(peer, longest_message) == bytes));
  BOOST_TEST(error_of(writing) == 0);
  const std::vector<std::byte> longer(longest_message + 1);
  BOOST_TEST(error_of(stream.write(longer)) == EMSGSIZE);
  BOOST_TEST(error_of(stream.write("")) == EINVAL);
  BOOST_TEST(error_of(stream.write("on")) == 0);  // nothing has happened
  BOOST_TEST(read_text(peer, 4) == "\2\0on"sv);
}

BOOST_AUTO_TEST_CASE(a_message_without_a_byte_is_eio_behind_what_came_before) {
  auto [stream, peer] = raw_pair();
  BOOST_TEST(error_of(peer.write("\3\0abc\0\0"sv)) == 0);
  BOOST_TEST(read_text(stream, 3) == "abc");
  for (int i = 0; i < 2; ++i) {
    std::vector<std::byte> buffer(1);
    Request<ssize_t> reading = stream.read(buffer);
    BOOST_TEST(error_of(reading) == EIO);
    BOOST_TEST(reading.reason() == "a message of 0 bytes, where 1 to 65535 are allowed");
  }
  BOOST_TEST(error_of(stream.write("still")) == 0);
  BOOST_TEST(read_text(peer, 7) == "\5\0still"sv);
}

BOOST_AUTO_TEST_CASE(reads_are_exact_inside_of_messages_and_across) {
  auto [stream, peer] = raw_pair();
  BOOST_TEST(error_of(peer.write("\5\0abcde\2\0fg\1\0h\4\0ijkl"sv)) == 0);
  BOOST_TEST(read_text(stream, 2) == "ab");
  BOOST_TEST(read_text(stream, 4) == "cdef");
  BOOST_TEST(message_of(stream) == "g");
  BOOST_TEST(message_of(stream) == "h");
  int err = -1;
  BOOST_TEST(stream.pending_bytes(err) == 4U);
  BOOST_TEST(message_of(stream) == "ijkl");
}

// Cut anywhere, also in its header; what follows in the same message is the next one.
BOOST_AUTO_TEST_CASE(a_pdu_of_dcerpc_may_be_split_over_messages) {
  const std::string first = rpc_bind(srvsvc_interface);
  const std::string second = rpc_time_request();
  const auto message = [](std::string_view bytes) {
    return little_endian(static_cast<std::uint32_t>(bytes.size()), 2) + std::string(bytes);
  };
  auto [stream, peer] = raw_pair();
  for (std::size_t at = 1; at + 1 < first.size(); ++at) {
    BOOST_TEST(error_of(peer.write(message(first.substr(0, at)) + message(first.substr(at, 1)) +
                                   message(first.substr(at + 1) + second))) == 0);
    for (const std::string& pdu : {first, second}) {
      Request<Pdu> reading = stream.readv_pdu(framing::dcerpc{});
      int err = -1;
      const Pdu whole = fetch(reading, err);
      BOOST_TEST_REQUIRE(err == 0);
      BOOST_TEST(text_of(whole.bytes()) == pdu);
      BOOST_TEST(whole.header().size() == 16U);
    }
  }
}

BOOST_DATA_TEST_CASE_F(NpaMessageFixture, messages_keep_their_borders,
                       data::make({StreamKind::tcp, StreamKind::unix_socket, StreamKind::memory}), kind) {
  NpaPair pair = connected(stream_pair(kind));
  Queue queue(loop);
  std::vector<Request<ssize_t>> writing;
  const std::array<std::size_t, 6> sizes{5, 1, 3000, longest_message, 60000, 2};
  for (const std::size_t size : sizes) writing.push_back(pair.client.stream.write(queue, pattern(size)));
  for (const std::size_t size : sizes) BOOST_TEST((message_of(pair.server.stream) == text_of(pattern(size))));
  for (Request<ssize_t>& each : writing) BOOST_TEST(error_of(each) == 0);
}

BOOST_AUTO_TEST_CASE(a_write_is_done_when_its_message_has_left_and_not_with_the_last_one) {
  NpaPair pair = connected(memory_pair());
  Queue queue(loop);
  const std::array<std::string_view, 4> texts{"one", "three", "x", "last"};
  std::vector<Request<ssize_t>> writing;
  for (const std::string_view text : texts) writing.push_back(pair.client.stream.write(queue, text));
  loop.run_until_idle();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    BOOST_TEST(writing[i].is_in_progress());
    BOOST_TEST(message_of(pair.server.stream) == texts[i]);
    loop.run_until_idle();
    for (std::size_t k = 0; k < texts.size(); ++k) BOOST_TEST(writing[k].is_in_progress() == (k > i));
  }
}

BOOST_AUTO_TEST_CASE(a_long_message_byte_by_byte_is_whole) {
  NpaPair pair = connected(memory_stream_pair(loop, {.max_transfer = 1}));
  Request<ssize_t> writing = pair.server.stream.write(pattern(longest_message));
  BOOST_TEST((message_of(pair.client.stream) == text_of(pattern(longest_message))));
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_AUTO_TEST_CASE(the_end_between_messages_is_epipe_and_inside_eproto) {
  auto [stream, peer] = raw_pair();
  BOOST_TEST(error_of(peer.write("\3\0abc"sv)) == 0);
  BOOST_TEST(error_of(peer.disconnect()) == 0);
  BOOST_TEST(message_of(stream) == "abc");
  BOOST_TEST(error_of(stream.read_message()) == EPIPE);
  BOOST_TEST(error_of_read(stream) == EPIPE);
  for (const std::string_view cut : {"\3"sv, "\3\0"sv, "\3\0a"sv}) {
    auto [other, end] = raw_pair();
    BOOST_TEST(error_of(end.write(cut)) == 0);
    BOOST_TEST(error_of(end.shutdown_write()) == 0);
    Request<Pdu> reading = other.read_message();
    BOOST_TEST(error_of(reading) == EPROTO);
    BOOST_TEST(reading.reason() == "the stream was cut inside of a message");
  }
}

BOOST_AUTO_TEST_CASE(disconnecting_closes_the_stream_below) {
  NpaPair pair = connected(unix_pair());
  BOOST_TEST(error_of(pair.client.stream.write("last")) == 0);
  Request<void> leaving = pair.client.stream.disconnect();
  BOOST_TEST(message_of(pair.server.stream) == "last");
  BOOST_TEST(error_of_read(pair.server.stream) == EPIPE);
  BOOST_TEST(error_of(leaving) == 0);
  BOOST_TEST(npa::identity(pair.client.stream) == nullptr);
}

BOOST_AUTO_TEST_CASE(byte_mode_is_the_stream_below) {
  NpaPair pair = connected(unix_pair(), npa::FileType::byte_mode);
  BOOST_TEST(pair.client.stream.native_handle() != invalid_socket);
  int err = -1;
  static_cast<void>(pair.server.stream.peer_credentials(err));
  BOOST_TEST(err == (uses_posix_alone() ? ENOTSUP : 0));
  BOOST_TEST(error_of(pair.client.stream.read_message()) == ENOTSUP);
  BOOST_TEST(error_of(pair.client.stream.shutdown_write()) == 0);
  BOOST_TEST(error_of_read(pair.server.stream) == EPIPE);
  BOOST_TEST((send_through(pair.server.stream, pair.client.stream, pattern(100000)) == pattern(100000)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
