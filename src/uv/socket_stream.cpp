#include "uv/socket_stream.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <utility>

#include "core/base/errno_class.hpp"
#include "uv/linger.hpp"
#include "uv/loop_impl.hpp"
#include "uv/os/kernel_pipe.hpp"
#include "uv/os/socket.hpp"

namespace tsock::inline v0::detail {

std::unique_ptr<SocketStream> SocketStream::make(LoopImpl& loop, UniqueSocket& socket, os::SocketType type,
                                                 const StreamOptions& options, int& err,
                                                 FdWatch* watch) noexcept {
  std::unique_ptr<SocketStream> stream;
  try {
    stream.reset(::new (loop.allocate(sizeof(SocketStream))) SocketStream(loop));
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
    return nullptr;
  }
  err = stream->make_reception(type, options);
  if (err != 0) return nullptr;
  if (watch != nullptr) {
    stream->take_over(*watch, os::readable);
  } else {
    err = stream->start_watching(socket.get(), os::readable);
  }
  if (err != 0) return nullptr;
  stream->socket_ = std::move(socket);
  if (MessageReception* const messages = stream->messages(); messages != nullptr) [[unlikely]]
    messages->longest = os::longest_message(stream->socket_.get());
  return stream;
}

SocketStream::~SocketStream() { close(); }

void SocketStream::operator delete(SocketStream* socket, std::destroying_delete_t) noexcept {
  LoopImpl& loop = socket->loop_impl();
  socket->~SocketStream();
  loop.deallocate(static_cast<void*>(socket), sizeof(SocketStream));
}

// Closes the watcher first: the number of a descriptor that was closed under it may be in use again.
void SocketStream::close() noexcept {
  stop_watching();
  if (was_blocking_ && socket_) [[unlikely]]
    os::make_blocking(socket_.get());
  socket_.reset();
}

void SocketStream::remember(int& err) noexcept {
  // A unix socket gives EPIPE to a writer and, when the peer left bytes unread, keeps ECONNRESET for a
  // reader.
  if (connection_error_ == 0) {
    if (err == EPIPE) {
      note_connection_error(os::take_error(socket_.get()));
    } else if (breaks_connection(err)) {
      note_connection_error(err);
    }
  }
  if (connection_error_ != 0) err = connection_error_;
}

ssize_t SocketStream::try_readv(std::span<const iovec> vectors, int& err) noexcept {
  const ssize_t got = reception_ == nullptr ? os::readv(socket_.get(), vectors, err) : receive(vectors, err);
  return got > 0 ? got : read_nothing(got, err);
}

ssize_t SocketStream::read_nothing(ssize_t result, int& err) noexcept {
  if (result == 0 && connection_error_ != 0) {
    err = connection_error_;
    return -1;
  }
  return remember_failure(result, err);
}

ssize_t SocketStream::try_move_into(const os::PipeEnds& pipe, std::size_t most, int& err) noexcept {
  const ssize_t got = os::move_into_pipe(socket_.get(), pipe, most, err);
  return got > 0 ? got : read_nothing(got, err);
}

ssize_t SocketStream::try_move_out_of(const os::PipeEnds& pipe, std::size_t bytes, int& err) noexcept {
  return remember_failure(os::move_out_of_pipe(pipe, socket_.get(), bytes, err), err);
}

ssize_t SocketStream::receive(std::span<const iovec> vectors, int& err) {
  if (reception_->messages) return receive_message(vectors, err);
  return receive_with_fds(vectors, err);
}

// The kernel reports what broke the connection ahead of the messages that came before it, and once.
ssize_t SocketStream::receive_message(std::span<const iovec> vectors, int& err) {
  const auto take = [this](std::span<const iovec> room, int& error) noexcept {
    return reception_->fds ? receive_with_fds(room, error) : os::readv(socket_.get(), room, error);
  };
  MessageReader& reader = reception_->messages->reader;
  ssize_t got = reader.readv(socket_.get(), vectors, err, take);
  if (got < 0 && connection_error_ == 0 && breaks_connection(err)) {
    note_connection_error(err);
    got = reader.readv(socket_.get(), vectors, err, take);
  }
  note_kept();
  return got;
}

// Makes room for descriptors first: those that cannot be kept would be lost.
ssize_t SocketStream::receive_with_fds(std::span<const iovec> vectors, int& err) {
  FdReception& reception = *reception_->fds;
  auto& received = reception.received;
  const std::size_t room = reception.most - std::min(reception.most, received.size());
  const std::size_t more = std::min(room, os::max_passed_fds);
  if (received.capacity() - received.size() < more) {
    try {
      received.reserve(std::max(2 * received.capacity(), received.size() + more));
    } catch (const std::bad_alloc&) {
      err = ENOMEM;
      return -1;
    }
  }
  std::array<int, os::max_passed_fds> fds;
  std::size_t count = 0;
  const ssize_t got = os::readv_with_fds(socket_.get(), vectors, fds, count, err);
  if (count > room) {
    for (const int fd : std::span(fds).first(count)) UniqueFd(fd).reset();
    err = os::too_many_fds;
    return -1;
  }
  for (const int fd : std::span(fds).first(count)) received.push_back({reception.position, UniqueFd(fd)});
  if (got > 0) reception.position += static_cast<std::uint64_t>(got);
  return got;
}

ssize_t SocketStream::try_writev(std::span<const iovec> vectors, int& err) noexcept {
  return remember_failure(os::writev(socket_.get(), vectors, err), err);
}

ssize_t SocketStream::try_writev_with_fds(std::span<const iovec> vectors, std::span<const int> fds,
                                          int& err) noexcept {
  return remember_failure(os::writev_with_fds(socket_.get(), vectors, fds, err), err);
}

// After a reset the kernel reports ENOTCONN, which here means a stream that was closed.
int SocketStream::try_shutdown_write() noexcept {
  const int err = os::shutdown_write(socket_.get());
  if (err != ENOTCONN) return err;
  if (connection_error_ == 0) note_connection_error(os::take_error(socket_.get()));
  return connection_error_ != 0 ? connection_error_ : EPIPE;
}

// Does not report what broke the connection before the disconnect; there is nothing to wait for then.
int SocketStream::try_disconnect(Linger& linger) noexcept {
  int err = 0;
  if (has_kept_ && !linger.has_begun) [[unlikely]] {
    linger.discard(kept_bytes().size());
    has_kept_ = false;
  }
  if (connection_error_ != 0) {
    err = linger.has_begun ? connection_error_ : 0;
  } else {
    err = try_linger(socket_.get(), linger);
  }
  lingers_ = err == EAGAIN;
  if (!lingers_) close();
  return err;
}

void SocketStream::abort() noexcept {
  if (socket_) os::reset_on_close(socket_.get());
  close();
}

Readiness SocketStream::want_readable() noexcept {
  if (watches_breaks_ || has_kept_) [[unlikely]] {
    if (watches_breaks_) await_hang_up();
    if (has_kept_) return Readiness::now;
  }
  return await_readable();
}

Readiness SocketStream::want_writable() noexcept {
  if (lingers_) return want_readable();
  if (watches_breaks_) await_hang_up();
  return await_writable();
}

void SocketStream::want_broken() noexcept {
  wants_broken_ = true;
  await_hang_up();
}

void SocketStream::watch_for_breaks(bool on) noexcept { watches_breaks_ = on; }

// Reports a failure first to the writer, then to the reader, who drains what is there, then to the monitor;
// unless the options say that a break comes before what is buffered.
void SocketStream::on_fd_event(FdEvent event) {
  const bool broken = event.failed || event.hung_up;
  if (event.failed && connection_error_ == 0) note_connection_error(os::take_error(socket_.get()));
  if (broken && watches_breaks_) report_break(event);
  if (event.writable && socket_) events_->on_writable();
  if (event.readable && socket_) events_->on_readable();
  if (broken && wants_broken_ && socket_) report_break(event);
}

void SocketStream::report_break(FdEvent event) {
  wants_broken_ = false;
  events_->on_broken(event.failed && connection_error_ != 0 ? connection_error_ : EPIPE);
}

// As above: what came before a break is there all the same.
std::size_t SocketStream::pending_message(int& err) noexcept {
  MessageReader& reader = reception_->messages->reader;
  ssize_t left = reader.left_of_message(socket_.get(), err);
  if (left < 0 && connection_error_ == 0 && breaks_connection(err)) {
    note_connection_error(err);
    left = reader.left_of_message(socket_.get(), err);
  }
  if (left > 0) {
    err = 0;
    return static_cast<std::size_t>(left);
  }
  if (left == 0) {
    err = connection_error_ != 0 ? connection_error_ : EPIPE;
  } else if (err == EAGAIN) {
    err = 0;
  }
  return 0;
}

std::size_t SocketStream::pending_bytes(int& err) noexcept {
  if (messages() != nullptr) [[unlikely]]
    return pending_message(err);
  const std::size_t bytes = os::readable_bytes(socket_.get(), err);
  if (bytes != 0 || err != 0) return bytes;
  const int waiting = os::peek_error(socket_.get());
  if (waiting != EPIPE) note_connection_error(waiting);
  err = connection_error_ != 0 ? connection_error_ : waiting;
  return 0;
}

// The kernel tells which read descriptors came with, not which byte of it: with bytes read ahead, it would
// not be known whose they are.
StreamTraits SocketStream::traits() const noexcept {
  const MessageReception* const messages = this->messages();
  return {.read_ahead = reception_ == nullptr,
          .short_is_final = messages == nullptr,
          .message_size = messages != nullptr ? messages->longest : 0};
}

std::string_view SocketStream::reason() const noexcept {
  const MessageReception* const messages = this->messages();
  return messages != nullptr && messages->reader.is_empty() ? "a message without a byte" : std::string_view();
}

Address SocketStream::local_address() const noexcept {
  return socket_ ? os::local_address(socket_.get()) : Address();
}

Address SocketStream::remote_address() const noexcept {
  return socket_ ? os::remote_address(socket_.get()) : Address();
}

int SocketStream::tcp_info(TcpInfo& info) const noexcept { return os::tcp_info(socket_.get(), info); }

std::span<const std::byte> SocketStream::kept_bytes() const noexcept {
  const MessageReception* const messages = this->messages();
  return messages != nullptr ? messages->reader.kept() : std::span<const std::byte>();
}

UniqueSocket SocketStream::release_socket() noexcept {
  stop_watching();
  if (was_blocking_) os::make_blocking(socket_.get());
  return std::move(socket_);
}

int SocketStream::make_reception(os::SocketType type, const StreamOptions& options) noexcept {
  if (!options.receive_fds && type != os::SocketType::messages) return 0;
  if (reception_ == nullptr) reception_.reset(::new (std::nothrow) SocketReception{});
  if (reception_ == nullptr) return ENOMEM;
  if (type == os::SocketType::messages) reception_->messages.emplace();
  if (!options.receive_fds) return 0;
  if (!reception_->fds) reception_->fds.emplace();
  reception_->fds->most = options.max_received_fds;
  return 0;
}

int SocketStream::apply(const StreamOptions& options) noexcept {
  if (const int err = make_reception(os::SocketType::stream, options); err != 0) return err;
  const int err = os::apply_connected(socket_.get(), os::local_address(socket_.get()).family(), options);
  if (MessageReception* const messages = this->messages(); messages != nullptr)
    messages->longest = os::longest_message(socket_.get());
  return err;
}

int SocketStream::peer_credentials(PeerCredentials& credentials) const noexcept {
  return os::peer_credentials(socket_.get(), credentials);
}

int SocketStream::take_received_fds(std::size_t unread, std::vector<UniqueFd>& taken) noexcept {
  if (reception_ == nullptr || !reception_->fds) return 0;
  FdReception& reception = *reception_->fds;
  auto& received = reception.received;
  unread += kept_bytes().size();
  const std::uint64_t position = reception.position - std::min<std::uint64_t>(unread, reception.position);
  const auto end = std::find_if(received.begin(), received.end(),
                                [position](const ReceivedFd& one) { return one.position >= position; });
  try {
    taken.reserve(static_cast<std::size_t>(end - received.begin()));
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
  for (auto place = received.begin(); place != end; ++place) taken.push_back(std::move(place->fd));
  received.erase(received.begin(), end);
  return 0;
}

}  // namespace tsock::inline v0::detail
