#include "uv/uv_stream.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <tsock/loop.hpp>
#include <utility>

#include "core/base/errno_class.hpp"
#include "uv/linger.hpp"
#include "uv/loop_impl.hpp"
#include "uv/os/descriptor.hpp"
#include "uv/os/socket.hpp"
#include "uv/uv_call.hpp"

namespace tsock::inline v0 {

namespace detail {

namespace {

constexpr std::size_t read_buffer_size = std::size_t{64} * 1024;
// Below this size, calls cost more than memory.
constexpr std::size_t smallest_read_buffer = std::size_t{4} * 1024;
constexpr std::size_t vectors_per_write = 256;
constexpr std::size_t largest_slice = std::size_t{64} * 1024;
// A uv_buf_t counts in 32 bits, and uv_try_write() returns an int.
constexpr std::size_t largest_buffer = std::size_t{1} << 30;

uv_handle_t* as_handle(uv_stream_t* stream) noexcept { return reinterpret_cast<uv_handle_t*>(stream); }

std::size_t read_buffer_for(std::size_t max_read_ahead) noexcept {
  return std::clamp(max_read_ahead, smallest_read_buffer, read_buffer_size);
}

}  // namespace

/// What libuv's callbacks refer to. It outlives the stream until the handle is closed, or given back, and no
/// request of libuv's is under way.
struct UvStream::Link {
  Link(LoopImpl& owner, uv_stream_t* wrapped, UvStreamOwnership kind, UvStream& user) noexcept
      : loop(&owner), handle(wrapped), ownership(kind), stream(&user), data(wrapped->data) {}

  LoopImpl* loop;
  uv_stream_t* handle;
  UvStreamOwnership ownership;
  UvStream* stream;
  void* data;  // the application's
  bool was_referenced = false;
  unsigned users = 1;
  uv_shutdown_t shutdown{};
};

/// A slice of a write, which libuv writes when it can. Its bytes are behind it.
struct UvStream::DeferredWrite {
  DeferredWrite(Link& owner, std::size_t count) noexcept : link(&owner), size(count) { request.data = this; }
  [[nodiscard]] std::byte* bytes() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
  void destroy() noexcept {
    LoopImpl& loop = *link->loop;
    const std::size_t whole = sizeof(DeferredWrite) + size;
    this->~DeferredWrite();
    loop.deallocate(static_cast<void*>(this), whole);
  }
  uv_write_t request{};
  Link* link;
  std::size_t size;
};

UvStream::UvStream(LoopImpl& loop, uv_stream_t* handle, UvStreamOwnership ownership,
                   std::size_t max_read_ahead)
    : FdWatcher(loop),
      link_(make_pooled<Link>(loop, loop, handle, ownership, *this)),
      next_buffer_size_(read_buffer_for(max_read_ahead)) {
  link_->was_referenced = uv_has_ref(as_handle(handle)) != 0;
  handle->data = link_;
  uv_unref(as_handle(handle));
}

UvStream::~UvStream() { close(); }

void UvStream::give_back() noexcept {
  link_->ownership = UvStreamOwnership::borrow();
  close();
}

void UvStream::let_go(Link* link) noexcept {
  if (--link->users != 0) return;
  LoopImpl& loop = *link->loop;
  link->~Link();
  loop.deallocate(static_cast<void*>(link), sizeof(Link));
}

void UvStream::close() noexcept {
  Link* const link = std::exchange(link_, nullptr);
  if (link == nullptr) return;
  stop_watching();
  if (ReadyTask::is_linked()) ReadyTask::unlink();
  watched_.reset();
  free_buffer();
  link->stream = nullptr;
  link->loop->notice_fork();
  uv_stream_t* const stream = link->handle;
  if (!link->ownership.takes()) {
    if (reading_) uv_read_stop(stream);
    stream->data = link->data;
    if (link->was_referenced) uv_ref(as_handle(stream));
    let_go(link);
    return;
  }
  uv_close(as_handle(stream), [](uv_handle_t* closed) {
    auto* const ended = static_cast<Link*>(closed->data);
    const UvStreamOwnership ownership = ended->ownership;
    uv_stream_t* const memory = ended->handle;
    let_go(ended);
    if (ownership.free_function() != nullptr) ownership.free_function()(memory);
  });
}

uv_stream_t* UvStream::handle() const noexcept { return link_->handle; }

NativeSocket UvStream::descriptor() const noexcept {
  return link_ != nullptr ? socket_of(as_handle(handle())) : invalid_socket;
}

// ---- reading ----

void UvStream::on_allocate(uv_handle_t* handle, std::size_t /*suggested*/, uv_buf_t* buffer) {
  UvStream& self = *static_cast<Link*>(handle->data)->stream;
  try {
    if (self.buffer_ == nullptr || self.buffer_ == self.spare_.data()) {
      self.buffer_ = static_cast<std::byte*>(self.loop_impl().allocate(self.next_buffer_size_));
      self.buffer_size_ = self.next_buffer_size_;
    }
  } catch (const std::bad_alloc&) {
    // Reads slowly until there is memory: an error would end reading.
    self.buffer_ = self.spare_.data();
    self.buffer_size_ = self.spare_.size();
  }
  *buffer = uv_buf_init(reinterpret_cast<char*>(self.buffer_), static_cast<unsigned>(self.buffer_size_));
}

void UvStream::on_read(uv_stream_t* handle, ssize_t got, const uv_buf_t* /*buffer*/) {
  auto* const link = static_cast<Link*>(handle->data);
  ++link->users;
  LoopImpl& loop = *link->loop;
  loop.enter();
  link->stream->received(got);
  loop.drain();
  // Callbacks may have started the next read, or ended the stream.
  if (link->stream != nullptr) link->stream->stop_unless_wanted();
  let_go(link);
}

void UvStream::received(ssize_t got) {
  if (got > 0) {
    begin_ = 0;
    end_ = static_cast<std::size_t>(got);
  } else {
    free_buffer();
    if (got == 0) return;
    uv_read_stop(handle());
    reading_ = false;
    // A terminal whose other side hung up gives EIO.
    const bool ended = got == UV_EOF || (got == UV_EIO && handle()->type == UV_TTY);
    if (ended && connection_error_ == 0) {
      ended_ = true;
    } else if (ended) {
      read_error_ = connection_error_;
    } else {
      read_error_ = errno_of(got);
      note_connection_error(read_error_);
    }
  }
  if (std::exchange(wants_read_, false)) events_->on_readable();
  if (got < 0 && reads_for_break()) report_break({});
}

int UvStream::start_reading() noexcept {
  if (reading_) return 0;
  const int status = uv_read_start(handle(), on_allocate, on_read);
  reading_ = status == 0;
  return errno_of(status);
}

void UvStream::stop_unless_wanted() noexcept {
  if (!reading_ || ((wants_read_ || reads_for_break()) && !has_bytes())) return;
  uv_read_stop(handle());
  reading_ = false;
}

void UvStream::free_buffer() noexcept {
  if (buffer_ != nullptr && buffer_ != spare_.data()) loop_impl().deallocate(buffer_, buffer_size_);
  buffer_ = nullptr;
  begin_ = end_ = 0;
}

ssize_t UvStream::try_readv(std::span<const iovec> vectors, int& err) noexcept {
  if (!has_bytes()) {
    if (ended_) return 0;
    err = read_error_ != 0 ? read_error_ : EAGAIN;
    return -1;
  }
  std::size_t taken = 0;
  for (const iovec& vector : vectors) {
    const std::size_t step = std::min(vector.iov_len, end_ - begin_);
    if (step == 0) continue;
    std::memcpy(vector.iov_base, buffer_ + begin_, step);
    begin_ += step;
    taken += step;
  }
  if (!has_bytes()) {
    free_buffer();
    if (reads_for_break()) read_for_break();
  }
  return static_cast<ssize_t>(taken);
}

Readiness UvStream::want_readable() noexcept {
  if (watches_breaks_ && watch()) await_hang_up();
  if (has_bytes() || ended_ || read_error_ != 0) return Readiness::now;
  read_error_ = start_reading();
  if (read_error_ != 0) return Readiness::now;
  wants_read_ = true;
  return Readiness::later;
}

std::size_t UvStream::pending_bytes(int& err) noexcept {
  std::size_t bytes = end_ - begin_;
  int ignored = 0;  // not every descriptor has a count
  const NativeSocket fd = descriptor();
  if (fd != invalid_socket && !ended_) bytes += os::readable_bytes(fd, ignored);
  if (bytes != 0) return bytes;
  err = ended_ ? EPIPE : read_error_;
  if (err != 0 || !os::is_stream_socket(fd)) return 0;
  const int waiting = os::peek_error(fd);
  note_connection_error(waiting);
  err = connection_error_ != 0 ? connection_error_ : waiting;
  return 0;
}

// ---- writing ----

void UvStream::note_connection_error(int err) noexcept {
  if (connection_error_ == 0 && breaks_connection(err)) connection_error_ = err;
}

int UvStream::take_socket_error() const noexcept {
  const NativeSocket fd = descriptor();
  return os::is_stream_socket(fd) ? os::take_error(fd) : 0;
}

// A write that meets the end of a named pipe is told of the end of the stream, as a reader is.
// A unix fd gives EPIPE to a writer and, when the peer left bytes unread, keeps ECONNRESET for a reader.
// After a failed read libuv refuses writes with EPIPE of its own. In both cases the other error says more.
ssize_t UvStream::fail_write(int status, int& err) noexcept {
  err = status == UV_EOF ? EPIPE : errno_of(status);
  note_connection_error(err == EPIPE ? take_socket_error() : err);
  if (connection_error_ != 0) {
    err = connection_error_;
  } else if (err == EPIPE && read_error_ != 0) {
    err = read_error_;
  }
  write_error_ = err;
  return -1;
}

// The error behind an ENOTCONN of libuv or the kernel, which here would mean a stream that was closed.
int UvStream::why_not_connected() noexcept {
  note_connection_error(take_socket_error());
  if (connection_error_ != 0) return connection_error_;
  return read_error_ != 0 ? read_error_ : EPIPE;
}

ssize_t UvStream::try_writev(std::span<const iovec> vectors, int& err) noexcept {
  err = try_flush();
  if (err != 0) return -1;
  std::array<uv_buf_t, vectors_per_write> buffers;
  unsigned count = 0;
  for (const iovec& vector : vectors.first(std::min(vectors.size(), buffers.size()))) {
    const std::size_t size = std::min(vector.iov_len, largest_buffer);
    buffers[count++] = uv_buf_init(static_cast<char*>(vector.iov_base), static_cast<unsigned>(size));
    if (size != vector.iov_len) break;  // the rest of this vector comes before the next one
  }
  int status = 0;
  {
    os::SigpipeGuard guard;
    status = uv_try_write(handle(), buffers.data(), count);
    if (status == UV_EPIPE) guard.take_signal();
  }
  if (status > 0) return status;
  if (status < 0 && status != UV_EAGAIN) return fail_write(status, err);
  if (!watch()) return defer_write(vectors, err);
  err = EAGAIN;
  return -1;
}

ssize_t UvStream::defer_write(std::span<const iovec> vectors, int& err) noexcept {
  std::size_t size = 0;
  for (const iovec& vector : vectors) size += std::min(vector.iov_len, largest_slice - size);
  DeferredWrite* slice = nullptr;
  try {
    slice = ::new (loop_impl().allocate(sizeof(DeferredWrite) + size)) DeferredWrite(*link_, size);
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
    return -1;
  }
  std::size_t copied = 0;
  for (const iovec& vector : vectors) {
    const std::size_t step = std::min(vector.iov_len, size - copied);
    if (step != 0) std::memcpy(slice->bytes() + copied, vector.iov_base, step);
    copied += step;
  }
  const uv_buf_t buffer = uv_buf_init(reinterpret_cast<char*>(slice->bytes()), static_cast<unsigned>(size));
  int status = 0;
  {
    os::SigpipeGuard guard;
    status = uv_write(&slice->request, handle(), &buffer, 1, on_deferred_write);
    // An error is reported later, but its signal has come by now.
    guard.take_signal();
  }
  if (status != 0) {
    slice->destroy();
    return fail_write(status, err);
  }
  ++link_->users;
  write_deferred_ = true;
  return static_cast<ssize_t>(size);
}

void UvStream::on_deferred_write(uv_write_t* request, int status) {
  auto* const slice = static_cast<DeferredWrite*>(request->data);
  Link* const link = slice->link;
  LoopImpl& loop = *link->loop;
  const std::size_t size = slice->size;
  slice->destroy();
  if (UvStream* const self = link->stream; self != nullptr) {
    loop.enter();
    self->write_deferred_ = false;
    int err = 0;
    if (status != 0) {
      self->fail_write(status, err);
      self->unsent_ = size;
    }
    if (std::exchange(self->wants_write_, false)) self->events_->on_writable();
    loop.drain();
  }
  let_go(link);
}

int UvStream::try_flush() noexcept {
  if (link_ == nullptr) return EBADF;
  if (write_error_ != 0) return write_error_;
  return write_deferred_ ? EAGAIN : 0;
}

Readiness UvStream::want_writable() noexcept {
  if (lingers_) {
    await_readable();
    return Readiness::later;
  }
  const bool is_busy = write_deferred_ || shutdown_ == Shutdown::running;
  if (!is_busy && !is_watching()) return Readiness::now;
  wants_write_ = true;
  if (is_busy) return Readiness::later;
  await_writable();
  if (watches_breaks_) await_hang_up();
  return Readiness::later;
}

int UvStream::try_shutdown_write() noexcept {
  // uv_shutdown would fail for these, too, but only after it has ended writing for good.
  if (!os::is_stream_socket(descriptor())) return ENOTSUP;
  if (shutdown_ == Shutdown::none) {
    link_->shutdown.data = link_;
    const int status = uv_shutdown(&link_->shutdown, handle(), on_shutdown);
    if (status != 0) return status == UV_ENOTCONN ? why_not_connected() : errno_of(status);
    ++link_->users;
    shutdown_ = Shutdown::running;
  }
  return shutdown_ == Shutdown::running ? EAGAIN : shutdown_error_;
}

void UvStream::on_shutdown(uv_shutdown_t* request, int status) {
  auto* const link = static_cast<Link*>(request->data);
  LoopImpl& loop = *link->loop;
  if (UvStream* const self = link->stream; self != nullptr) {
    loop.enter();
    self->shutdown_ = Shutdown::ended;
    self->shutdown_error_ = status == UV_ENOTCONN ? self->why_not_connected() : errno_of(status);
    if (std::exchange(self->wants_write_, false)) self->events_->on_writable();
    loop.drain();
  }
  let_go(link);
}

// Only returns a borrowed handle to the application. libuv does not read while lingering does.
int UvStream::try_disconnect(Linger& linger) noexcept {
  if (write_deferred_ && write_error_ == 0 && !linger.is_over) return EAGAIN;
  int err = write_deferred_ && write_error_ == 0 ? ETIMEDOUT : 0;
  if (err == 0 && link_->ownership.takes() && os::is_stream_socket(descriptor())) err = linger_on(linger);
  lingers_ = err == EAGAIN;
  if (!lingers_) close();
  return err;
}

int UvStream::linger_on(Linger& linger) {
  if (connection_error_ != 0) return linger.has_begun ? connection_error_ : 0;
  if (reading_) uv_read_stop(handle());
  reading_ = false;
  linger.discard(end_ - begin_);
  free_buffer();
  const int err = try_linger(descriptor(), linger);
  if (err != EAGAIN) return err;
  // Without a watcher, nothing would report that there is something to read.
  return watch() ? EAGAIN : ENOMEM;
}

void UvStream::abort() noexcept {
  if (link_ != nullptr && handle()->type == UV_TCP && link_->ownership.takes())
    os::reset_on_close(descriptor());
  close();
}

// ---- watching the descriptor ----

// libuv's streams show neither room nor a break before they are written or read.
bool UvStream::watch() {
  if (is_watching()) return true;
  int err = 0;
  watched_ = os::duplicate_to_watch(descriptor(), err);
  if (err == 0) err = start_watching_fd(watched_.get());
  if (err != 0) watched_.reset();
  return err == 0;
}

void UvStream::watch_for_breaks(bool on) noexcept { watches_breaks_ = on; }

void UvStream::want_broken() noexcept {
  wants_broken_ = true;
  if (watch()) {
    await_hang_up();
  } else {
    read_for_break();
  }
}

void UvStream::unwant_broken() noexcept {
  wants_broken_ = false;
  if (ReadyTask::is_linked()) ReadyTask::unlink();
  if (link_ != nullptr) stop_unless_wanted();
}

// What has come is read first; the end behind it is seen once that is taken.
void UvStream::read_for_break() noexcept {
  if (has_bytes() || uv_is_readable(handle()) == 0) return;
  if (ended_ || read_error_ != 0) {
    if (!ReadyTask::is_linked()) loop_impl().make_ready(*this);
  } else {
    start_reading();  // when it fails, the next read tells
  }
}

void UvStream::on_fd_event(FdEvent event) {
  const bool broken = event.failed || event.hung_up;
  if (broken && watches_breaks_) report_break(event);
  if (event.writable && !write_deferred_ && shutdown_ != Shutdown::running &&
      std::exchange(wants_write_, false))
    events_->on_writable();
  if (event.readable && lingers_) events_->on_readable();
  if (broken && wants_broken_ && link_ != nullptr) report_break(event);
}

void UvStream::report_break(FdEvent event) {
  wants_broken_ = false;
  if (event.failed) note_connection_error(take_socket_error());
  if (connection_error_ != 0) {
    events_->on_broken(connection_error_);
  } else {
    events_->on_broken(read_error_ != 0 ? read_error_ : EPIPE);
  }
}

int UvStream::apply(const StreamOptions& options) noexcept {
  next_buffer_size_ = read_buffer_for(options.max_read_ahead);
  const NativeSocket fd = descriptor();
  if (!os::is_stream_socket(fd)) return StreamBackend::apply(options);
  const int err = os::apply_connected(fd, os::local_address(fd).family(), options);
  return err == 0 && options.receive_fds ? ENOTSUP : err;
}

Address UvStream::local_address() const noexcept {
  const NativeSocket fd = descriptor();
  return fd != invalid_socket ? os::local_address(fd) : Address();
}

Address UvStream::remote_address() const noexcept {
  const NativeSocket fd = descriptor();
  return fd != invalid_socket ? os::remote_address(fd) : Address();
}

int UvStream::tcp_info(TcpInfo& info) const noexcept { return os::tcp_info(descriptor(), info); }

}  // namespace detail

namespace {

int check_handle(uv_stream_t* handle, const uv_loop_t* loop) {
  if (handle == nullptr || handle->loop != loop) return EINVAL;
  if (handle->type != UV_TCP && handle->type != UV_NAMED_PIPE && handle->type != UV_TTY) return EINVAL;
  if (uv_is_closing(detail::as_handle(handle)) != 0) return EINVAL;
  if (uv_is_readable(handle) == 0 && uv_is_writable(handle) == 0) return ENOTCONN;
  return uv_is_active(detail::as_handle(handle)) != 0 ? EBUSY : 0;
}

}  // namespace

Stream wrap_uv_stream(Loop& loop, uv_stream_s* handle, UvStreamOwnership ownership,
                      const StreamOptions& options, int& err) {
  detail::LoopImpl& impl = detail::impl_of(loop.core());
  err = check_handle(handle, impl.uv());
  if (err != 0) return {};
  const NativeSocket fd = detail::socket_of(detail::as_handle(handle));
  if (os::is_stream_socket(fd)) err = os::apply_connected(fd, os::local_address(fd).family(), options);
  if (err != 0) return {};
  std::unique_ptr<StreamBackend> backend;
  detail::UvStream* wrapped = nullptr;
  try {
    auto made = std::make_unique<detail::UvStream>(impl, handle, ownership, options.max_read_ahead);
    wrapped = made.get();
    backend = std::move(made);
    return Stream(loop, std::move(backend), options);
  } catch (const std::bad_alloc&) {
    if (wrapped != nullptr) wrapped->give_back();  // still there: the Stream has taken nothing
    err = ENOMEM;
    return {};
  }
}

}  // namespace tsock::inline v0
