#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support/npa_fixture.hpp"
#include "support/system.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;

struct NpaFailure {
  int err = 0;
  std::string reason = {};
};

struct NpaListenFixture : NpaFixture {
  const TempDirectory directory;
  const std::string np = directory / "np";
  std::vector<NpaFailure> failures;

  npa::ListenOptions noting(npa::ListenOptions options = {}) {
    options.handshakes.on_failure = [this](const Address&, int err, std::string_view reason) {
      failures.push_back({.err = err, .reason = std::string(reason)});
    };
    return options;
  }
  Listener listen(const npa::ListenOptions& options, const char* name = "OurPipe") {
    int err = -1;
    std::string reason;
    Listener listener = npa::listen(loop, directory.path().string(), name, options, err, reason);
    BOOST_TEST_REQUIRE(err == 0, reason);
    BOOST_TEST(reason.empty());
    return listener;
  }
  /// What listening is refused with.
  int refused(std::string& reason, const std::string& name = "pipe") {
    int err = -1;
    const Listener listener = npa::listen(loop, directory.path().string(), name, {}, err, reason);
    BOOST_TEST(!listener);
    return err;
  }
  Request<Stream> client() {
    return npa::connect(loop, directory.path().string(), "ourpipe", anonymous_client());
  }
  Stream silent(const Listener& listener) {
    Request<Stream> connecting = Stream::connect(loop, listener.local_address());
    int err = -1;
    Stream stream = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0);
    return stream;
  }
  /// Connects silent clients, then one that is served. \return both of its ends
  std::pair<Stream, Stream> served_behind_silent(Listener& listener, std::size_t many,
                                                 std::vector<Stream>& silent_ones) {
    Request<Stream> accepting = listener.accept();
    for (std::size_t i = 0; i < many; ++i) silent_ones.push_back(silent(listener));
    Request<Stream> connecting = client();
    int err = -1;
    Stream ours = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0, connecting.reason());
    Stream theirs = fetch(accepting, err);
    BOOST_TEST_REQUIRE(err == 0);
    BOOST_TEST((send_through(ours, theirs, pattern(1000)) == pattern(1000)));
    return {std::move(ours), std::move(theirs)};
  }
  static mode_t mode_of(const std::string& path) {
    struct ::stat status {};
    BOOST_TEST_REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_mode & 07777U;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(npa_listen, NpaListenFixture, *boost::unit_test::precondition(more_than_posix))

BOOST_DATA_TEST_CASE_F(NpaListenFixture, clients_are_served_in_either_mode,
                       data::make({npa::FileType::byte_mode, npa::FileType::message_mode}), mode) {
  Listener listener = listen(noting({.each = {.reply = {.file_type = mode}}}));
  BOOST_TEST(listener.local_address().string() == "unix:" + np + "/ourpipe");
  BOOST_TEST(mode_of(np) == 0700U);
  for (int i = 0; i < 3; ++i) {
    Request<Stream> connecting = client();
    Request<Stream> accepting = listener.accept();
    int err = -1;
    Stream ours = fetch(connecting, err);
    BOOST_TEST_REQUIRE(err == 0, connecting.reason());
    Stream theirs = fetch(accepting, err);
    BOOST_TEST_REQUIRE(err == 0);
    BOOST_TEST_REQUIRE(npa::identity(theirs) != nullptr);
    BOOST_TEST(npa::identity(theirs)->is_anonymous());
    BOOST_TEST(npa::reply(theirs, err).file_type == mode);
    BOOST_TEST((theirs.native_handle() != invalid_socket) == (mode == npa::FileType::byte_mode));
    BOOST_TEST((send_through(ours, theirs, pattern(1000)) == pattern(1000)));
    BOOST_TEST((send_through(theirs, ours, pattern(1000)) == pattern(1000)));
  }
  BOOST_TEST(failures.empty());
  listener = Listener();
  BOOST_TEST(!std::filesystem::exists(np + "/ourpipe"));
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_there_is_used_as_it_is) {
  BOOST_TEST_REQUIRE(::mkdir(np.c_str(), 0750) == 0);
  const mode_t before = mode_of(np);
  const Listener listener = listen({});
  BOOST_TEST(mode_of(np) == before);
}

BOOST_AUTO_TEST_CASE(a_directory_that_others_may_write_to_is_refused_in_words) {
  BOOST_TEST_REQUIRE(::mkdir(np.c_str(), 0700) == 0);
  std::string reason;
  for (const mode_t mode : {0770U, 0702U, 01777U}) {
    BOOST_TEST_REQUIRE(::chmod(np.c_str(), mode) == 0);
    BOOST_TEST(refused(reason) == EPERM);
    BOOST_TEST(reason.starts_with(np + " may be written to by others (mode "));
  }
  BOOST_TEST(reason == np + " may be written to by others (mode 1777)");
  BOOST_TEST_REQUIRE(::chmod(np.c_str(), 0700) == 0);
  // In a directory that is sticky nobody else can rename it.
  const std::string above = directory.path().string();
  BOOST_TEST_REQUIRE(::chmod(above.c_str(), 0777) == 0);
  BOOST_TEST(refused(reason) == EPERM);
  BOOST_TEST(reason == above + " may be written to by others (mode 0777)");
  BOOST_TEST_REQUIRE(::chmod(above.c_str(), 01777) == 0);
  const Listener listener = listen({});
}

BOOST_AUTO_TEST_CASE(a_directory_of_somebody_else_is_refused) {
  if (::geteuid() != 0) {
    BOOST_TEST_MESSAGE("skipped: only root can give a directory away");
    return;
  }
  BOOST_TEST_REQUIRE(::mkdir(np.c_str(), 0700) == 0);
  BOOST_TEST_REQUIRE(::chown(np.c_str(), 12345, 12345) == 0);
  std::string reason;
  BOOST_TEST(refused(reason) == EPERM);
  BOOST_TEST(reason == np + " belongs to uid 12345");
}

BOOST_AUTO_TEST_CASE(what_is_no_directory_is_refused) {
  std::string reason;
  std::filesystem::create_directory(directory / "elsewhere");
  std::filesystem::create_directory_symlink(directory / "elsewhere", np);
  BOOST_TEST(refused(reason) == ENOTDIR);
  BOOST_TEST(reason == np + " is a symbolic link, or no directory");
  std::filesystem::remove(np);
  BOOST_TEST_REQUIRE(::mkfifo(np.c_str(), 0600) == 0);
  BOOST_TEST(refused(reason) == ENOTDIR);
  int err = 0;
  BOOST_TEST(!npa::listen(loop, directory / "missing", "pipe", {}, err, reason));
  BOOST_TEST(err == ENOENT);
  BOOST_TEST(reason == "cannot open " + (directory / "missing"));
}

BOOST_AUTO_TEST_CASE(names_that_are_none_and_pipes_that_are_served_are_refused) {
  std::string reason;
  for (const char* const name : {"", "a/b", "..", "."}) {
    BOOST_TEST(refused(reason, name) == EINVAL);
    BOOST_TEST(reason == "no name for a pipe");
  }
  BOOST_TEST(!std::filesystem::exists(np));
  BOOST_TEST(refused(reason, std::string(200, 'x')) != 0);
  const Listener listener = listen({}, "pipe");
  BOOST_TEST(refused(reason, "PIPE") == EADDRINUSE);
}

BOOST_AUTO_TEST_CASE(a_socket_that_is_left_over_is_replaced) {
  { const Listener listener = listen({.socket = {.unlink_on_close = false}}); }
  BOOST_TEST(std::filesystem::exists(np + "/ourpipe"));
  Listener listener = listen({});
  Request<Stream> accepting = listener.accept();
  Request<Stream> connecting = client();
  BOOST_TEST(error_of(connecting) == 0);
  BOOST_TEST(error_of(accepting) == 0);
}

BOOST_AUTO_TEST_CASE(a_wrong_uid_is_refused_and_logged_once_a_second) {
  std::ostringstream log;
  loop.set_logger(
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
  int asked = 0;
  Listener listener = listen({.each = {.trusts = [&](const Stream&) { return ++asked > 20; }}});
  Request<Stream> accepting = listener.accept();
  for (int i = 0; i < 20; ++i) {
    Stream stream = silent(listener);
    BOOST_TEST(sees_end(stream));
  }
  Request<Stream> connecting = client();
  BOOST_TEST(error_of(connecting) == 0);
  BOOST_TEST(error_of(accepting) == 0);
  BOOST_TEST(asked == 21);
  const std::string text = log.str();
  BOOST_TEST(text.find("the peer is a process of uid " + std::to_string(::getuid()) +
                       ", which is not trusted") != std::string::npos);
  BOOST_TEST(std::ranges::count(text, '\n') <= 3);  // of a machine that is slow
}

BOOST_AUTO_TEST_CASE(a_client_that_says_nothing_ends_by_its_time) {
  npa::ListenOptions options;
  options.handshakes.handshake_time = 1ms;
  Listener listener = listen(noting(options));
  const Request<Stream> accepting = listener.accept();
  Stream stream = silent(listener);
  BOOST_TEST(sees_end(stream));
  BOOST_TEST_REQUIRE(failures.size() == 1U);
  BOOST_TEST(failures[0].err == ETIMEDOUT);
}

BOOST_AUTO_TEST_CASE(a_thousand_silent_clients_disturb_nobody) {
  constexpr std::size_t many = 1000;
  npa::ListenOptions options;
  options.handshakes.handshake_time = 1h;
  options.handshakes.most_handshakes = many + 2;
  Listener listener = listen(noting(options));
  std::vector<Stream> silent_ones;
  auto [ours, theirs] = served_behind_silent(listener, many, silent_ones);
  BOOST_TEST(failures.empty());
  listener = Listener();
  BOOST_TEST(sees_end(silent_ones.front()));
  BOOST_TEST(sees_end(silent_ones.back()));
  BOOST_TEST((send_through(theirs, ours, pattern(1000)) == pattern(1000)));
}

BOOST_AUTO_TEST_CASE(a_thousand_silent_clients_without_a_place_each_end_by_their_time) {
  constexpr std::size_t many = 1000;
  npa::ListenOptions options;
  options.handshakes.handshake_time = 20ms;
  BOOST_TEST_REQUIRE(options.handshakes.most_handshakes < many);
  Listener listener = listen(noting(options));
  std::vector<Stream> silent_ones;
  auto [ours, theirs] = served_behind_silent(listener, many, silent_ones);
  BOOST_TEST(run_until([&] { return failures.size() == many; }));
  BOOST_TEST(std::ranges::all_of(failures, [](const NpaFailure& each) { return each.err == ETIMEDOUT; }));
}

BOOST_AUTO_TEST_CASE(any_listener_will_do) {
  int err = -1;
  Listener below = Listener::listen(loop, loopback_v4(), {}, err);
  BOOST_TEST_REQUIRE(err == 0);
  Listener listener = npa::listen(std::move(below), trusting());
  Request<Stream> accepting = listener.accept();
  Request<Stream> connecting = npa::connect(silent(listener), anonymous_client());
  const Stream theirs = fetch(accepting, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(npa::identity(theirs)->is_anonymous());
  BOOST_TEST(error_of(connecting) == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
