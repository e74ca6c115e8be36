#pragma once

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

namespace tsock::test {

/// How long a test waits for something that should happen, before it fails instead of hanging.
inline constexpr std::chrono::seconds guard_time{20};

/// The streams that a test can run over.
enum class StreamKind : std::uint8_t { tcp, tcp6, unix_socket, memory };
std::ostream& operator<<(std::ostream& out, StreamKind kind);

/// Bytes that differ from their neighbours, so that a byte lost or doubled is seen.
[[nodiscard]] std::vector<std::byte> pattern(std::size_t size, unsigned seed = 0);
[[nodiscard]] std::vector<std::byte> bytes_of(std::string_view text);
[[nodiscard]] std::string text_of(std::span<const std::byte> bytes);

/// A loopback address; port 0 takes a free port.
[[nodiscard]] Address loopback_v4(std::uint16_t port = 0);
[[nodiscard]] Address loopback_v6(std::uint16_t port = 0);
/// Whether the machine has ::1.
[[nodiscard]] bool has_ipv6();

/// A directory of the test's own, for socket paths; goes with all that is in it.
class TempDirectory {
 public:
  TempDirectory();
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  ~TempDirectory();
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// The path of a file in it.
  [[nodiscard]] std::string operator/(std::string_view name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// A Loop for one test. Everything the test makes on it must be gone when the test ends: the destructor fails
/// the test when a request is still in progress, a block of the loop's pool is still out, or libuv has
/// something left to do.
struct LoopFixture {
  using Clock = std::chrono::steady_clock;

  LoopFixture();
  LoopFixture(const LoopFixture&) = delete;
  LoopFixture& operator=(const LoopFixture&) = delete;
  ~LoopFixture();

  Loop loop;
  /// For a test of what outlives its loop: the destructor checks nothing.
  bool expects_leftovers = false;

  /// Runs the loop until `done()` is true. \return false, after the guard time, when it never came true.
  template <class Done>
  [[nodiscard]] bool run_until(Done done) {
    const Request<void> guard = loop.sleep(guard_time);
    while (!done()) {
      if (!guard.is_in_progress()) {
        report_timeout();
        return false;
      }
      loop.run_once();
    }
    return true;
  }

  /// Runs the loop until the request is over; fails the test when that does not happen.
  template <class T>
  void wait_for(Request<T>& request) {
    BOOST_TEST_REQUIRE(run_until([&request] { return !request.is_in_progress(); }));
  }

  /// Waits for the request and fetches its result.
  template <class T>
  T fetch(Request<T>& request, int& err) {
    wait_for(request);
    return request.recv(err);
  }

  /// Waits for the request and gives its errno value alone.
  template <class T>
  [[nodiscard]] int error_of(Request<T>& request) {
    int err = 0;
    static_cast<void>(fetch(request, err));
    return err;
  }
  template <class T>
  [[nodiscard]] int error_of(Request<T>&& request) {
    Request<T> moved = std::move(request);
    return error_of(moved);
  }
  [[nodiscard]] int error_of(Request<void>& request) {
    int err = 0;
    fetch(request, err);
    return err;
  }

  /// Two connected streams. The first one is the connecting side.
  [[nodiscard]] std::pair<Stream, Stream> tcp_pair();
  [[nodiscard]] std::pair<Stream, Stream> tcp6_pair();
  [[nodiscard]] std::pair<Stream, Stream> unix_pair();
  [[nodiscard]] std::pair<Stream, Stream> memory_pair();
  [[nodiscard]] std::pair<Stream, Stream> stream_pair(StreamKind kind);

  /// Writes to one stream and reads the same number of bytes from the other.
  [[nodiscard]] std::vector<std::byte> send_through(Stream& from, Stream& to,
                                                    std::span<const std::byte> bytes);

  /// Runs the loop until no worker thread is at a file: what streams over files were told is done then.
  void end_of_file_calls();

  /// What `Loop::dump()` prints.
  [[nodiscard]] std::string dump() const;

 private:
  void report_timeout() const;
  [[nodiscard]] std::pair<Stream, Stream> connected(const Address& listen_on);
};

}  // namespace tsock::test
