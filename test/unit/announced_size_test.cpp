// What a peer announces and does not send costs no memory.
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"
#include "support/sanitizer.hpp"

namespace tsock::test {
namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

/// Lets the process have so much more address space than it has now, for a while.
class AddressSpaceLimit {
 public:
  explicit AddressSpaceLimit(std::size_t more) {
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    ::getrlimit(RLIMIT_AS, &before_);
    rlimit limit = before_;
    limit.rlim_cur = pages * 4096 + more;
    ::setrlimit(RLIMIT_AS, &limit);
  }
  AddressSpaceLimit(const AddressSpaceLimit&) = delete;
  AddressSpaceLimit& operator=(const AddressSpaceLimit&) = delete;
  ~AddressSpaceLimit() { ::setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_{};
};

std::array<std::byte, 4> prefix(std::size_t body) {
  return {static_cast<std::byte>(body >> 24U), static_cast<std::byte>(body >> 16U),
          static_cast<std::byte>(body >> 8U), static_cast<std::byte>(body)};
}

std::vector<std::byte> message(std::size_t body) {
  std::vector<std::byte> all = pattern(body + 4);
  const auto head = prefix(body);
  std::copy(head.begin(), head.end(), all.begin());
  return all;
}

struct AnnouncedSizeFixture : LoopFixture {
  struct Connection {
    std::pair<Stream, Stream> ends;
    std::vector<std::byte> sent;
    Request<Pdu> reading;
    Request<ssize_t> writing;
  };

  // A peer announces so much, and sends so little of it.
  void announce(Connection& connection, const Framing& framing, std::size_t announced, std::size_t sent) {
    const auto head = prefix(announced);
    connection.sent = pattern(sent + head.size());
    std::copy(head.begin(), head.end(), connection.sent.begin());
    connection.reading = connection.ends.second.readv_pdu(framing);
    connection.writing = connection.ends.first.write(connection.sent);
    BOOST_TEST_REQUIRE(error_of(connection.writing) == 0);
    BOOST_TEST_REQUIRE(run_until([&] {
      return !connection.reading.is_in_progress() ||
             connection.reading.transferred() == connection.sent.size();
    }));
  }
};

const Framing large_messages = framing::u32be{.max_body = std::size_t{1} << 30};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(announced_size, AnnouncedSizeFixture)

BOOST_AUTO_TEST_CASE(messages_that_are_announced_and_do_not_come_take_no_address_space,
                     *boost::unit_test::precondition(can_limit_memory)) {
  for (const StreamKind kind : {StreamKind::unix_socket, StreamKind::memory}) {
    BOOST_TEST_CONTEXT(kind) {
      std::vector<Connection> connections(64);
      for (auto& connection : connections) connection.ends = stream_pair(kind);
      const AddressSpaceLimit limit(64 * mebibyte);
      for (auto& connection : connections) {
        announce(connection, large_messages, std::size_t{1} << 30, 100);
        BOOST_TEST(connection.reading.is_in_progress());
      }
      // Others have their messages as ever.
      auto pair = stream_pair(kind);
      const std::vector<std::byte> sent = message(4 * mebibyte);
      Request<Pdu> reading = pair.second.readv_pdu(large_messages);
      Request<ssize_t> writing = pair.first.write(sent);
      int err = 0;
      const Pdu pdu = fetch(reading, err);
      BOOST_TEST(err == 0);
      BOOST_TEST(std::ranges::equal(pdu.bytes(), sent));
      BOOST_TEST(error_of(writing) == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(lines_that_may_be_long_and_do_not_come_take_no_address_space,
                     *boost::unit_test::precondition(can_limit_memory)) {
  const Framing lines = framing::line{.max_body = std::size_t{1} << 30};
  std::vector<Connection> connections(64);
  for (auto& connection : connections) connection.ends = memory_pair();
  const AddressSpaceLimit limit(64 * mebibyte);
  for (auto& connection : connections) {
    announce(connection, lines, 0, 100);
    BOOST_TEST(connection.reading.is_in_progress());
  }
}

BOOST_AUTO_TEST_CASE(a_message_of_any_size_arrives_whole_however_it_is_cut) {
  constexpr std::size_t sizes[] = {65515,   65516,   65517,   65520,   131052,          131072,
                                   1048572, 1048636, 1048640, 1048641, 3 * mebibyte + 1};
  for (const std::size_t size : sizes) {
    for (const std::size_t cut : {std::size_t{1}, std::size_t{4}, std::size_t{20}, size / 2, size}) {
      BOOST_TEST_CONTEXT("a body of " << size << " bytes, cut at " << cut) {
        for (const StreamKind kind : {StreamKind::unix_socket, StreamKind::memory}) {
          auto pair = stream_pair(kind);
          const std::vector<std::byte> sent = message(size);
          Request<Pdu> reading = pair.second.readv_pdu(large_messages);
          Request<ssize_t> first = pair.first.write(std::span(sent).first(cut));
          BOOST_TEST(run_until([&] { return reading.transferred() == cut; }));
          Request<ssize_t> second = pair.first.write(std::span(sent).subspan(cut));
          int err = 0;
          const Pdu pdu = fetch(reading, err);
          BOOST_TEST(err == 0);
          BOOST_TEST(std::ranges::equal(pdu.bytes(), sent));
          BOOST_TEST(pdu.header().size() == 4U);
          BOOST_TEST(error_of(first) == 0);
          BOOST_TEST(error_of(second) == 0);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(an_interrupted_message_gives_every_byte_back_at_each_size_it_grew_to) {
  const std::vector<std::byte> sent = message(3 * mebibyte);
  for (const std::size_t cut : {65519UL, 65520UL, 65521UL, 524160UL, 1048640UL, 2097280UL, 2097281UL}) {
    BOOST_TEST_CONTEXT("after " << cut << " bytes") {
      auto pair = memory_pair();
      Request<Pdu> reading = pair.second.readv_pdu(large_messages);
      Request<ssize_t> writing = pair.first.write(std::span(sent).first(cut));
      BOOST_TEST(run_until([&] { return reading.transferred() == cut; }));
      reading.cancel();
      BOOST_TEST(error_of(reading) == ECANCELED);
      BOOST_TEST(error_of(writing) == 0);
      reading = pair.second.readv_pdu(large_messages);
      writing = pair.first.write(std::span(sent).subspan(cut));
      int err = 0;
      const Pdu pdu = fetch(reading, err);
      BOOST_TEST(err == 0);
      BOOST_TEST(std::ranges::equal(pdu.bytes(), sent));
      BOOST_TEST(error_of(writing) == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_message_that_there_is_no_memory_for_in_its_middle_is_still_unread,
                     *boost::unit_test::precondition(can_limit_memory)) {
  auto pair = memory_pair();
  const std::vector<std::byte> sent = message(200 * mebibyte);
  const std::size_t part = 100 * mebibyte;
  Request<Pdu> reading = pair.second.readv_pdu(large_messages);
  Request<ssize_t> writing;
  std::vector<std::byte> again(sent.size());
  {
    // There is room to give back what came, and none for twice as much.
    const AddressSpaceLimit limit(150 * mebibyte);
    writing = pair.first.write(std::span(sent).first(part));
    BOOST_TEST(error_of(reading) == ENOMEM);
    BOOST_TEST(reading.transferred() > 0U);
  }
  Request<ssize_t> plain = pair.second.read(std::span(again).first(part));
  BOOST_TEST(error_of(plain) == 0);
  BOOST_TEST(error_of(writing) == 0);
  BOOST_TEST(std::ranges::equal(std::span(again).first(part), std::span(sent).first(part)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
