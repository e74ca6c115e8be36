#include "tsock/pdu.hpp"

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"

using namespace tsock;
using tsock::test::LoopFixture;
using tsock::test::text_of;

BOOST_AUTO_TEST_SUITE(pdu)

namespace {

struct PduFixture : LoopFixture {
  std::pair<Stream, Stream> streams = unix_pair();
  Pdu pdu_of(std::string_view body) {
    const std::string wire{static_cast<char>(body.size() >> 8U), static_cast<char>(body.size() & 255U)};
    Queue queue(loop);
    auto header = streams.first.write(queue, wire);
    auto rest = body.empty() ? Request<ssize_t>() : streams.first.write(queue, body);
    auto reading = streams.second.readv_pdu(tsock::framing::u16be{});
    int err = -1;
    Pdu pdu = fetch(reading, err);
    BOOST_TEST(err == 0);
    return pdu;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(without_a_message_everything_is_empty) {
  Pdu pdu;
  BOOST_TEST(pdu.empty());
  BOOST_TEST(pdu.bytes().empty());
  BOOST_TEST(pdu.header().empty());
  BOOST_TEST(pdu.body().empty());
  BOOST_TEST(pdu.copy_body().empty());
  Pdu moved = std::move(pdu);
  moved = Pdu();
  BOOST_TEST(moved.empty());
}

BOOST_FIXTURE_TEST_CASE(it_has_header_body_and_the_whole, PduFixture) {
  Pdu pdu = pdu_of("hello");
  BOOST_TEST(pdu.size() == 7U);
  BOOST_TEST(!pdu.empty());
  BOOST_TEST(pdu.header().size() == 2U);
  BOOST_TEST(text_of(pdu.body()) == "hello");
  BOOST_TEST(text_of(pdu.bytes()) == std::string("\0\5hello", 7));
  BOOST_TEST(text_of(pdu.copy_body()) == "hello");
  BOOST_TEST(pdu.vector()[0].iov_base == pdu.bytes().data());
  BOOST_TEST(pdu.vector()[0].iov_len == 7U);
  pdu.body()[0] = std::byte{'j'};
  BOOST_TEST(text_of(std::as_const(pdu).body()) == "jello");
}

BOOST_FIXTURE_TEST_CASE(its_bytes_stay_where_they_are_when_it_moves, PduFixture) {
  Pdu first = pdu_of("stay");
  const auto vector = first.vector();
  std::vector<Pdu> kept;
  kept.push_back(std::move(first));
  for (int i = 0; i < 10; ++i) kept.push_back(pdu_of("other"));
  BOOST_TEST(first.empty());
  BOOST_TEST(kept.front().bytes().data() == vector[0].iov_base);
  // An echo: the message is written from where it was read.
  auto writing = streams.second.writev(vector);
  auto reading = streams.first.readv_pdu(tsock::framing::u16be{});
  int err = -1;
  BOOST_TEST(text_of(fetch(reading, err).body()) == "stay");
  BOOST_TEST(error_of(writing) == 0);
}

BOOST_FIXTURE_TEST_CASE(assigning_releases_the_old_message, PduFixture) {
  Pdu pdu = pdu_of("old");
  const auto blocks = loop.metrics().in_progress;
  pdu = pdu_of("new");
  BOOST_TEST(text_of(pdu.body()) == "new");
  auto& self = pdu;
  pdu = std::move(self);
  BOOST_TEST(text_of(pdu.body()) == "new");
  BOOST_TEST(loop.metrics().in_progress == blocks);
}

BOOST_FIXTURE_TEST_CASE(messages_of_all_sizes_arrive_whole, LoopFixture) {
  auto [a, b] = unix_pair();
  Queue queue(loop);
  const std::vector<std::size_t> sizes = {0,     1,     3,     4091,  4092,   4093,   4096,   65530,  65531,
                                          65532, 65533, 65536, 65537, 131068, 131072, 131073, 1000000};
  std::vector<std::vector<std::byte>> bodies;
  std::vector<std::array<std::byte, 4>> headers(sizes.size());
  for (const std::size_t size : sizes)
    bodies.push_back(tsock::test::pattern(size, static_cast<unsigned>(size)));
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    for (unsigned byte = 0; byte < 4; ++byte)
      headers[i][byte] = static_cast<std::byte>(sizes[i] >> (8U * (3U - byte)));
    const std::array<iovec, 2> vectors{make_vector(std::span<const std::byte>(headers[i])),
                                       make_vector(std::span<const std::byte>(bodies[i]))};
    a.writev(queue, vectors).detach();
  }
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    auto reading = b.readv_pdu(tsock::framing::u32be{});
    int err = -1;
    const Pdu pdu = fetch(reading, err);
    BOOST_TEST(err == 0);
    BOOST_TEST((pdu.copy_body() == bodies[i]), "message of " << sizes[i] << " bytes");
  }
}

BOOST_AUTO_TEST_SUITE_END()
