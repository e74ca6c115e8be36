#include "support/loop_fixture.hpp"

#include <uv.h>

#include <cstdlib>
#include <exception>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include "core/loop/loop_core.hpp"
#include "support/platform.hpp"
#include "uv/loop_impl.hpp"

namespace tsock::test {

std::ostream& operator<<(std::ostream& out, StreamKind kind) {
  switch (kind) {
    case StreamKind::tcp:
      return out << "tcp";
    case StreamKind::tcp6:
      return out << "tcp6";
    case StreamKind::unix_socket:
      return out << "unix";
    case StreamKind::memory:
      return out << "memory";
  }
  return out;
}

std::vector<std::byte> pattern(std::size_t size, unsigned seed) {
  std::vector<std::byte> bytes(size);
  std::uint32_t state = seed * 2654435761U + 0x9e3779b9U;
  // Megabytes of it are made without optimisation: plain pointers are several times as fast as iterators
  // then.
  std::byte* const end = bytes.data() + size;
  for (std::byte* byte = bytes.data(); byte != end; ++byte) {
    state = state * 1664525U + 1013904223U;
    *byte = static_cast<std::byte>(state >> 24U);
  }
  return bytes;
}

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Address loopback_v4(std::uint16_t port) {
  int err = 0;
  return Address::inet_from_strings("ipv4", "127.0.0.1", port, err);
}

Address loopback_v6(std::uint16_t port) {
  int err = 0;
  return Address::inet_from_strings("ipv6", "::1", port, err);
}

bool has_ipv6() {
  Loop loop;
  int err = 0;
  return static_cast<bool>(Listener::tcp(loop, loopback_v6(), {}, err));
}

TempDirectory::TempDirectory() : path_(make_temp_directory()) {}

TempDirectory::~TempDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

LoopFixture::LoopFixture() { loop.set_logger(nullptr); }

LoopFixture::~LoopFixture() {
  if (expects_leftovers) return;
  try {
    loop.run_until_idle();
    end_of_file_calls();
    end_of_closing(loop.native_handle());
  } catch (const std::exception& error) {
    BOOST_ERROR("an exception was left in the loop: " << error.what());
  }
  if (loop.metrics().in_progress != 0) BOOST_ERROR("requests are left in the loop:\n" << dump());
  BOOST_CHECK_EQUAL(loop.metrics().deadlines, 0U);
  BOOST_CHECK_EQUAL(loop.core().live_blocks(), 0U);
  BOOST_CHECK_EQUAL(uv_loop_alive(loop.native_handle()), 0);
}

void LoopFixture::end_of_file_calls() {
  const detail::LoopImpl& impl = detail::impl_of(loop.core());
  if (!impl.is_busy(detail::LoopImpl::Work::file)) return;
  static_cast<void>(run_until([&impl] { return !impl.is_busy(detail::LoopImpl::Work::file); }));
  loop.run_until_idle();
}

void LoopFixture::report_timeout() const { BOOST_ERROR("what the test waits for did not come:\n" << dump()); }

std::string LoopFixture::dump() const {
  std::ostringstream text;
  loop.dump(text);
  return text.str();
}

std::pair<Stream, Stream> LoopFixture::connected(const Address& listen_on) {
  int err = 0;
  Listener listener = Listener::tcp(loop, listen_on, {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  Request<Stream> accepting = listener.accept();
  Request<Stream> connecting = Stream::connect(loop, listener.local_address());
  Stream first = fetch(connecting, err);
  BOOST_TEST_REQUIRE(err == 0);
  Stream second = fetch(accepting, err);
  BOOST_TEST_REQUIRE(err == 0);
  return {std::move(first), std::move(second)};
}

std::pair<Stream, Stream> LoopFixture::tcp_pair() { return connected(loopback_v4()); }

std::pair<Stream, Stream> LoopFixture::tcp6_pair() { return connected(loopback_v6()); }

std::pair<Stream, Stream> LoopFixture::memory_pair() { return memory_stream_pair(loop); }

std::pair<Stream, Stream> LoopFixture::stream_pair(StreamKind kind) {
  switch (kind) {
    case StreamKind::tcp:
      return tcp_pair();
    case StreamKind::tcp6:
      return tcp6_pair();
    case StreamKind::unix_socket:
      return unix_pair();
    case StreamKind::memory:
      return memory_pair();
  }
  throw std::logic_error("unknown kind of stream");
}

std::vector<std::byte> LoopFixture::send_through(Stream& from, Stream& to, std::span<const std::byte> bytes) {
  std::vector<std::byte> received(bytes.size());
  Request<ssize_t> reading = to.read(received);
  Request<ssize_t> writing = from.write(bytes);
  int err = 0;
  BOOST_TEST(fetch(reading, err) == static_cast<ssize_t>(bytes.size()));
  BOOST_TEST(err == 0);
  BOOST_TEST(error_of(writing) == 0);
  return received;
}

}  // namespace tsock::test
