// What a regular file gives a reader: all that is in it, and then the end, for which nobody waits. And what
// becomes of a call that a worker thread is at.
#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <memory>

#include "contract/stream_fixture.hpp"
#include "uv/file_stream.hpp"
#include "uv/loop_impl.hpp"

using namespace tsock;
using namespace tsock::test;

namespace {

struct FileFixture : StreamFixture {
  TempDirectory directory;

  void open_file_with(std::string_view content) {
    const std::string path = directory / "file";
    std::ofstream(path, std::ios::binary) << content;
    int err = 0;
    ours = open_file(loop, path.c_str(), FileMode::read, err);
    BOOST_TEST_REQUIRE(err == 0);
  }
  std::string take_rest() {
    int err = 0;
    std::string rest = text_of(take_all(ours, err));
    BOOST_TEST(err == EPIPE);
    return rest;
  }
};

// More than a call of the file's stream takes at once, and no multiple of it.
const Bytes& content() {
  static const Bytes bytes = pattern(200'001, 3);
  return bytes;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(file, FileFixture)

BOOST_DATA_TEST_CASE(reads_of_any_size_get_the_bytes_in_order_and_the_last_one_the_end,
                     data::make({1000, 4096, 65536, 65537, 150'000}), size) {
  open_file_with(text_of(content()));
  Bytes all;
  int err = 0;
  std::size_t last = 0;
  while (err == 0) {
    Bytes part(static_cast<std::size_t>(size));
    Request<ssize_t> reading = ours.read(part);
    fetch(reading, err);
    last = reading.transferred();
    all.insert(all.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(last));
  }
  BOOST_TEST(err == EPIPE);
  BOOST_TEST(last == content().size() % static_cast<std::size_t>(size));
  BOOST_TEST((all == content()));
  Bytes more(1);
  BOOST_TEST(error_of(ours.read(more)) == EPIPE);
  BOOST_TEST(error_of(ours.read_some(more)) == EPIPE);
}

BOOST_AUTO_TEST_CASE(messages_come_one_by_one_and_a_cut_one_at_the_end_stays_unread) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "line " + std::to_string(i) + '\n';
  open_file_with(text + "cut");
  for (int i = 0; i < 20'000; ++i) {
    const Pdu line = value_of(ours.readv_pdu(framing::line{}));
    BOOST_TEST_REQUIRE(text_of(line.body()) == "line " + std::to_string(i));
  }
  Request<Pdu> reading = ours.readv_pdu(framing::line{});
  BOOST_TEST(error_of(reading) == EPIPE);
  BOOST_TEST(reading.transferred() == 3U);
  BOOST_TEST(take_rest() == "cut");
}

// The call is under way in a thread when its request ends.
BOOST_AUTO_TEST_CASE(a_read_that_ends_while_its_call_is_under_way_loses_no_byte) {
  open_file_with(text_of(content()));
  Bytes got;
  for (std::size_t turn = 0; got.size() < 160'000; ++turn) {
    Bytes part(30'000);
    Request<ssize_t> ended = ours.read(part);
    if (turn % 3 == 0) BOOST_TEST(ended.cancel());
    if (turn % 3 == 1) ended.set_deadline(Clock::now());
    if (turn % 3 == 2) ended = {};
    if (ended) {
      int err = 0;
      fetch(ended, err);
      BOOST_TEST((err == 0 || err == (turn % 3 == 0 ? ECANCELED : ETIMEDOUT)));
      if (err == 0) got.insert(got.end(), part.begin(), part.end());
    }
    const Bytes taken = take(ours, 7'000);
    got.insert(got.end(), taken.begin(), taken.end());
  }
  BOOST_TEST((text_of(got) + take_rest() == text_of(content())));
}

BOOST_AUTO_TEST_CASE(a_disconnect_waits_for_the_write_that_is_under_way) {
  std::array<int, 2> fds{};
  BOOST_TEST_REQUIRE(::pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  UniqueFd full(fds[1]);
  const Bytes filling = pattern(4096);
  std::size_t filled = 0;
  while (::write(full.get(), filling.data(), filling.size()) > 0) filled += filling.size();
  BOOST_TEST_REQUIRE(::fcntl(full.get(), F_SETFL, O_WRONLY) == 0);
  ours = {loop, std::make_unique<detail::FileStream>(detail::impl_of(loop.core()), std::move(full))};
  int err = 0;
  peer = open_stdio(loop, fds[0], err);
  BOOST_TEST_REQUIRE(err == 0);
  // Taken whole; the thread waits for room.
  Request<ssize_t> writing = ours.write("the last");
  writing.set_timeout(std::chrono::milliseconds(1));
  BOOST_TEST(error_of(writing) == ETIMEDOUT);
  BOOST_TEST(writing.transferred() == 8U);
  Request<void> closing = ours.disconnect();
  loop.run_until_idle();
  BOOST_TEST(closing.is_in_progress());
  const std::string all = text_of(take_all(peer, err));
  BOOST_TEST(err == EPIPE);
  BOOST_TEST(all.size() == filled + 8);
  BOOST_TEST(all.ends_with("the last"));
  BOOST_TEST(error_of(closing) == 0);
}

BOOST_AUTO_TEST_CASE(an_empty_file_is_at_its_end) {
  open_file_with("");
  BOOST_TEST(take_rest().empty());
  int err = 0;
  BOOST_TEST(ours.pending_bytes(err) == 0U);
  BOOST_TEST(err == EPIPE);
}

BOOST_AUTO_TEST_SUITE_END()
