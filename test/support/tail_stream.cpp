#include "support/tail_stream.hpp"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstring>

namespace tsock::test {

TailStream::TailStream(Loop& loop, const std::string& path)
    : FdWatcher(detail::impl_of(loop.core())),
      file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)),
      changes_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  BOOST_TEST_REQUIRE(file_.get() >= 0);
  BOOST_TEST_REQUIRE(changes_.get() >= 0);
  BOOST_TEST_REQUIRE(::inotify_add_watch(changes_.get(), path.c_str(), IN_MODIFY | IN_CLOSE_WRITE) >= 0);
  BOOST_TEST_REQUIRE(start_watching(changes_.get()) == 0);
}

// Asked first: what was written before the writer closed is read behind it.
void TailStream::take_changes() noexcept {
  alignas(inotify_event) std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t got = ::read(changes_.get(), buffer.data(), buffer.size());
    if (got <= 0) return;
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      if ((event.mask & IN_CLOSE_WRITE) != 0) writer_closed_ = true;
      at += sizeof event + event.len;
    }
  }
}

ssize_t TailStream::try_readv(std::span<const iovec> vectors, int& err) noexcept {
  take_changes();
  const ssize_t got = ::readv(file_.get(), vectors.data(), static_cast<int>(vectors.size()));
  if (got > 0 || (got == 0 && writer_closed_)) return got;
  err = got == 0 ? EAGAIN : errno;
  return -1;
}

ssize_t TailStream::try_writev(std::span<const iovec> /*vectors*/, int& err) noexcept {
  err = EBADF;
  return -1;
}

int TailStream::try_shutdown_write() noexcept { return ENOTSUP; }

int TailStream::try_disconnect(Linger& /*linger*/) noexcept {
  stop_watching();
  return 0;
}

void TailStream::on_fd_event(detail::FdEvent event) noexcept {
  if (event.readable) events_->on_readable();
}

std::size_t TailStream::pending_bytes(int& err) noexcept {
  take_changes();
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) err = errno;
  const off_t at = ::lseek(file_.get(), 0, SEEK_CUR);
  if (status.st_size > at) return static_cast<std::size_t>(status.st_size - at);
  if (writer_closed_) err = EPIPE;
  return 0;
}

}  // namespace tsock::test
