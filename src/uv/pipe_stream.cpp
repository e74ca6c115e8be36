#include "uv/pipe_stream.hpp"

#include <cerrno>
#include <utility>

#include "uv/loop_impl.hpp"
#include "uv/os/socket.hpp"

namespace tsock::inline v0::detail {

namespace {

// The most bytes of one call on a device that is always ready, so that others have their turn.
constexpr std::size_t most_at_once = std::size_t{256} * 1024;

}  // namespace

PipeStream::PipeStream(LoopImpl& loop, Source source) noexcept
    : FdWatcher(loop), source_(std::move(source)), access_(os::access_mode(source_.fd.get())) {}

PipeStream::~PipeStream() { close(); }

int PipeStream::open() {
  const bool was_blocking = !os::is_nonblocking(source_.fd.get());
  const int err = start_watching_fd(source_.fd.get());
  if (err == EPERM) {
    always_ready_ = true;
    return 0;
  }
  if (err != 0) return err;
  if (was_blocking) os::set_nonblocking(source_.fd.get());
  restores_flag_ = source_.is_shared && was_blocking;
  return 0;
}

// Closes the watcher first: the number of a descriptor that was closed under it may be in use again.
void PipeStream::close() noexcept {
  stop_watching();
  if (std::exchange(restores_flag_, false)) os::clear_nonblocking(source_.fd.get());
  source_.fd.reset();
}

// Returns the front of the vectors that one call may have; `room` is for a vector that is too long for it.
// \pre one of the vectors is not empty
std::span<const iovec> PipeStream::share(std::span<const iovec> vectors, iovec& room) const noexcept {
  if (!always_ready_) return vectors;
  std::size_t bytes = 0;
  std::size_t count = 0;
  for (; count < vectors.size() && vectors[count].iov_len <= most_at_once - bytes; ++count)
    bytes += vectors[count].iov_len;
  if (bytes != 0 || count == vectors.size()) return vectors.first(count);
  room = {vectors[count].iov_base, most_at_once};
  return {&room, 1};
}

ssize_t PipeStream::try_readv(std::span<const iovec> vectors, int& err) noexcept {
  iovec room{};
  const ssize_t got = os::read_descriptor(source_.fd.get(), share(vectors, room), err);
  // A terminal whose other side hung up gives EIO.
  if (got < 0 && err == EIO && source_.kind == os::DescriptorKind::terminal) return 0;
  return got;
}

ssize_t PipeStream::try_writev(std::span<const iovec> vectors, int& err) noexcept {
  iovec room{};
  return os::write_descriptor(source_.fd.get(), share(vectors, room), err);
}

// The reader sees the end when the last descriptor of the sending side is closed. An inherited standard
// descriptor is one of them; its number stays in use, so that no later open(2) becomes standard output.
int PipeStream::try_shutdown_write() noexcept {
  if (source_.kind != os::DescriptorKind::pipe || access_.readable) return ENOTSUP;
  close();
  return source_.kept >= 0 ? os::redirect_to_null(source_.kept) : 0;
}

// Bytes that were written stay in the pipe.
int PipeStream::try_disconnect(Linger& /*linger*/) noexcept {
  close();
  return 0;
}

// A direction that is not open fails when tried; an event for it would never come.
Readiness PipeStream::want_readable() noexcept {
  if (always_ready_) return Readiness::next_turn;
  if (!access_.readable) return Readiness::now;
  await_readable();
  if (watches_breaks_) await_hang_up();
  return Readiness::later;
}

Readiness PipeStream::want_writable() noexcept {
  if (always_ready_) return Readiness::next_turn;
  if (!access_.writable) return Readiness::now;
  await_writable();
  if (watches_breaks_) await_hang_up();
  return Readiness::later;
}

void PipeStream::want_broken() noexcept {
  wants_broken_ = true;
  await_hang_up();
}

void PipeStream::on_fd_event(FdEvent event) {
  const bool broken = event.failed || event.hung_up;
  if (broken && watches_breaks_) events_->on_broken(EPIPE);
  if (event.writable && source_.fd) events_->on_writable();
  if (event.readable && source_.fd) events_->on_readable();
  if (broken && std::exchange(wants_broken_, false) && source_.fd) events_->on_broken(EPIPE);
}

std::size_t PipeStream::pending_bytes(int& err) noexcept {
  if (!access_.readable || !source_.fd) return 0;
  // Checked first: bytes that were written before the other side hung up are counted below.
  const bool hung_up = os::is_hung_up(source_.fd.get());
  int ignored = 0;  // a device has no count
  const std::size_t bytes = os::readable_bytes(static_cast<NativeSocket>(source_.fd.get()), ignored);
  if (bytes == 0 && hung_up) err = EPIPE;
  return bytes;
}

StreamTraits PipeStream::traits() const noexcept { return {.read_ahead = true, .short_is_final = true}; }

}  // namespace tsock::inline v0::detail
