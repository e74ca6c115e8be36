#pragma once

#include <algorithm>
#include <array>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <tsock/layer/engine.hpp>
#include <tsock/tsock.hpp>
#include <vector>

#include "contract/backends.hpp"
#include "support/loop_fixture.hpp"
#include "support/platform.hpp"

namespace tsock::test {

namespace data = boost::unit_test::data;

using Bytes = std::vector<std::byte>;

/// Both ends of a stream: `ours` is tested, `peer` does what the test wants.
struct StreamFixture : LoopFixture {
  Stream ours;
  Stream peer;

  // A write to a broken connection must not end the process.
  StreamFixture() { let_sigpipe_end_us(); }

  void open(const Backend& backend) {
    auto pair = backend.make(*this);
    buffers_ = backend.traits.buffers;
    floors_ = backend.traits.floors;
    longest_write_ = backend.traits.longest_write;
    messages_that_fit_ = backend.traits.messages_that_fit;
    ours = std::move(pair.first);
    peer = std::move(pair.second);
  }

  /// The result of a request that must succeed.
  template <class T>
  T value_of(Request<T>& request) {
    int err = 0;
    T value = fetch(request, err);
    BOOST_TEST(err == 0);
    return value;
  }
  template <class T>
  T value_of(Request<T>&& request) {
    Request<T> moved = std::move(request);
    return value_of(moved);
  }

  /// Waits until the request has moved that many bytes.
  template <class T>
  void reach(Request<T>& request, std::size_t bytes) {
    BOOST_TEST_REQUIRE(run_until([&] { return request.transferred() >= bytes; }));
    BOOST_TEST_REQUIRE(request.transferred() == bytes);
  }

  /// Reads that many bytes from a stream, while the other side may write them.
  Bytes take(Stream& stream, std::size_t size) {
    Bytes bytes(size);
    Request<ssize_t> reading = stream.read(bytes);
    BOOST_TEST(value_of(reading) == static_cast<ssize_t>(size));
    return bytes;
  }
  std::string take_text(Stream& stream, std::size_t size) { return text_of(take(stream, size)); }

  /// Reads until the stream ends; `err` is how.
  Bytes take_all(Stream& stream, int& err) {
    Bytes all;
    Bytes buffer(std::size_t{64} * 1024);
    for (;;) {
      Request<ssize_t> reading = stream.read_some(buffer);
      const ssize_t got = fetch(reading, err);
      if (err != 0) return all;
      all.insert(all.end(), buffer.begin(), buffer.begin() + got);
    }
  }

  /// Has the stream give back `text`, so that it lies in the stream's memory: what is read next is there at
  /// once, on every backend.
  void preload(Stream& reader, Stream& writer, std::span<const std::byte> bytes) {
    Bytes buffer(bytes.size() + 1);
    Request<ssize_t> reading = reader.read(buffer);
    Request<ssize_t> writing = writer.write(bytes);
    reach(reading, bytes.size());
    reading.cancel();
    BOOST_TEST(error_of(reading) == ECANCELED);
    BOOST_TEST(error_of(writing) == 0);
  }

  /// More bytes than all buffers hold. (A small receive buffer would let the window of a TCP connection
  /// shrink, and that makes it crawl.)
  [[nodiscard]] Bytes blocking_bytes() const {
    constexpr std::size_t all_of_a_layer = layer::Engine::most_output + std::size_t{8} * 1024;
    static const Bytes many = pattern(std::size_t{16} << 20, 7);
    const std::size_t size = buffers_ ? many.size() : 100 + floors_ * all_of_a_layer;
    return Bytes(many.begin(), many.begin() + static_cast<std::ptrdiff_t>(std::min(size, longest_write_)));
  }
  /// Leaves room for less than `blocking_bytes()`, where messages have to be in the way.
  void fill_with_blocking_bytes(Stream& from) {
    for (std::size_t i = 0; i < messages_that_fit_; ++i)
      BOOST_TEST(error_of(from.write(blocking_bytes())) == 0);
  }
  /// Reads them: what comes next was written behind them.
  void take_what_fills(Stream& reader) {
    for (std::size_t i = 0; i < messages_that_fit_; ++i)
      BOOST_TEST((take(reader, blocking_bytes().size()) == blocking_bytes()));
  }
  /// Starts a write that cannot complete before somebody reads.
  Request<ssize_t> block_writing(Stream& from) {
    fill_with_blocking_bytes(from);
    blocked_ = blocking_bytes();
    Request<ssize_t> writing = from.write(blocked_);
    loop.run_until_idle();
    BOOST_TEST_REQUIRE(writing.is_in_progress());
    return writing;
  }
  [[nodiscard]] const Bytes& blocked_bytes() const noexcept { return blocked_; }

  /// Runs the loop for a while in which nothing should happen, and fails when it was busy.
  void check_quiet(std::chrono::milliseconds time = std::chrono::milliseconds(50)) {
    loop.run_until_idle();
    const std::uint64_t events = loop.metrics().events;
    const Request<void> pause = loop.sleep(time);
    unsigned turns = 0;
    while (pause.is_in_progress()) {
      loop.run_once();
      ++turns;
    }
    BOOST_TEST(loop.metrics().events - events <= 8U);
    BOOST_TEST(turns <= 16U);
  }

 private:
  Bytes blocked_;
  bool buffers_ = true;
  unsigned floors_ = 0;
  std::size_t longest_write_ = 0;
  std::size_t messages_that_fit_ = 0;
};

/// Vectors over strings, for gathered writes.
template <class... Text>
std::array<iovec, sizeof...(Text)> vectors_of(const Text&... texts) {
  return {make_vector(std::as_bytes(std::span(std::string_view(texts))))...};
}

}  // namespace tsock::test
