// The order matters.
#include <winsock2.h>
// <windows.h> needs it.
#include <process.h>
#include <uv.h>
#include <windows.h>

#include <cerrno>
#include <string>

#include "support/loop_fixture.hpp"
#include "support/platform.hpp"

namespace tsock::test {

std::filesystem::path make_temp_directory() {
  static unsigned count = 0;
  std::filesystem::path path = std::filesystem::temp_directory_path() /
                               ("tsock-test-" + std::to_string(::_getpid()) + '-' + std::to_string(++count));
  std::filesystem::create_directory(path);
  return path;
}

void let_sigpipe_end_us() noexcept {}

bool tells_closed_peer(int err) noexcept { return err == EPIPE || err == ECONNRESET; }

// Watchers are closed when the system has given back what was asked of it.
void end_of_closing(uv_loop_s* loop) noexcept {
  for (int i = 0; i < 1000 && uv_loop_alive(loop) != 0; ++i) {
    uv_run(loop, UV_RUN_NOWAIT);
    ::Sleep(1);
  }
}

// There are no pairs of unix sockets. The tests that ask for one want two streams that are connected, and
// some want that these do not hold megabytes, as those of TCP do.
std::pair<Stream, Stream> LoopFixture::unix_pair() {
  constexpr int buffer = 100'000;
  std::pair<Stream, Stream> pair = tcp_pair();
  for (const Stream* stream : {&pair.first, &pair.second}) {
    for (const int which : {SO_SNDBUF, SO_RCVBUF}) {
      ::setsockopt(stream->native_handle(), SOL_SOCKET, which, reinterpret_cast<const char*>(&buffer),
                   sizeof(buffer));
    }
  }
  return pair;
}

}  // namespace tsock::test
