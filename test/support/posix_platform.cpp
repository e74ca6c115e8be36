#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>
#include <system_error>

#include "support/loop_fixture.hpp"
#include "support/platform.hpp"

namespace tsock::test {

std::filesystem::path make_temp_directory() {
  std::string name = (std::filesystem::temp_directory_path() / "tsock-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::system_error(errno, std::generic_category(), "mkdtemp");
  return name;
}

void let_sigpipe_end_us() noexcept { std::signal(SIGPIPE, SIG_DFL); }

bool tells_closed_peer(int err) noexcept { return err == EPIPE; }

void end_of_closing(uv_loop_s* /*loop*/) noexcept {}

std::pair<Stream, Stream> LoopFixture::unix_pair() {
  int err = 0;
  auto pair = Stream::socketpair(loop, err);
  BOOST_TEST_REQUIRE(err == 0);
  return pair;
}

}  // namespace tsock::test
