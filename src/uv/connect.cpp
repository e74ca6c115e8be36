#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <new>
#include <optional>
#include <ostream>
#include <tsock/loop.hpp>
#include <tsock/stream.hpp>
#include <utility>

#include "core/stream/stream_life.hpp"
#include "uv/fd_watcher.hpp"
#include "uv/loop_impl.hpp"
#include "uv/named_pipe.hpp"
#include "uv/os/socket.hpp"
#include "uv/socket_stream.hpp"

namespace tsock::inline v0 {

namespace detail {

namespace {

// The kernel does not report when a full backlog has room again.
constexpr std::chrono::milliseconds first_backlog_retry{2};
constexpr std::chrono::milliseconds last_backlog_retry{32};

// The wildcard with port 0 and the unnamed unix address mean: do not bind.
bool is_specific(const Address& local) {
  if (local.is_inet()) return !local.is_any() || local.port() != 0;
  return local.is_unix() && !local.is_unnamed();
}

// A wildcard address adapts to the family of the remote one.
int fit_local(Address& local, const Address& remote) {
  if (local.is_empty() || local.family() == remote.family()) return 0;
  if (!local.is_any() || !remote.is_inet()) return EINVAL;
  int err = 0;
  local = Address::inet_from_strings(remote.is_ipv4() ? "ipv4" : "ipv6", std::nullopt,
                                     local.port().value_or(0), err);
  return err;
}

// Both ends of a connection may open at the same time (RFC 9293, section 3.5). If no socket listens on the
// port and the kernel gives that port to the connecting socket, the socket is connected to itself: it would
// echo.
bool is_connected_to_itself(NativeSocket socket) {
  const Address local = os::local_address(socket);
  return local.is_inet() && local == os::remote_address(socket);
}

// Of the two kinds of local streams a system may have one alone.
std::string_view why_not_supported(const Address& remote) {
  if (remote.is_pipe())
    return "this system has no named pipes; its local streams are unix sockets (unix:PATH)";
  if (remote.is_unix())
    return "this system has no unix sockets; its local streams are named pipes (pipe:NAME)";
  return {};
}

}  // namespace

/// Waits for a connection to be made.
class ConnectState : public ResultState<Stream>, private FdWatcher<ConnectState> {
 public:
  ConnectState(LoopCore& core, CallSite site) : ResultState(core, site), FdWatcher(impl_of(core)) {}
  ~ConnectState() override { close(); }
  [[nodiscard]] const char* name() const noexcept override { return "connect"; }

  void start(const Address& remote, const ConnectOptions& options) {
    remote_ = remote;
    options_ = options;
    int err = 0;
    try {
      err = prepare();
    } catch (const std::bad_alloc&) {
      err = ENOMEM;
    }
    if (err == 0) {
      try_connect();
    } else {
      if (err == EAFNOSUPPORT) explain(why_not_supported(remote_));
      close();
      finish(err);
    }
  }

  // Also ends the timer for trying a full backlog again, which is apart from the caller's deadline.
  void interrupt(int err) override {
    close();
    finish(err);
  }

  void describe(std::ostream& out) const override { out << ", to " << remote_.string(); }

 private:
  friend class FdWatcher<ConnectState>;
  void try_connect() {
    std::unique_ptr<StreamBackend> pipe;
    int err = remote_.is_pipe() ? connect_named_pipe(loop_impl(), remote_, options_.stream, pipe)
                                : os::connect(socket_.get(), remote_);
    if (err == EAGAIN && !remote_.is_inet() && options_.retry_full_backlog) {
      try {
        retry_ = loop().sleep(backlog_retry_);
        retry_.set_callback([this](Request<void>&) { try_connect(); });
        backlog_retry_ = std::min(backlog_retry_ * 2, last_backlog_retry);
        return;
      } catch (const std::bad_alloc&) {
        err = ENOMEM;
      }
    }
    if (err == 0 && pipe != nullptr) {
      finish_with_backend(std::move(pipe));
    } else if (err == 0) {
      complete();
    } else if (err == EINPROGRESS) {
      await_writable();
    } else {
      close();
      finish(err);
    }
  }

  [[nodiscard]] os::SocketType type() const noexcept {
    return options_.message_borders ? os::SocketType::messages : os::SocketType::stream;
  }
  // Makes a socket that is ready to connect.
  int prepare() {
    if (remote_.is_pipe()) return prepare_pipe();
    if (!remote_.is_inet() && (!remote_.is_unix() || remote_.is_unnamed())) return EINVAL;
    if (options_.message_borders && !remote_.is_unix()) return EINVAL;
    Address local = options_.local;
    if (const int err = fit_local(local, remote_); err != 0) return err;
    int err = 0;
    UniqueSocket socket = os::open_socket(remote_.family(), type(), err);
    if (err != 0) return err;
    const bool with_port = local.is_inet() && local.port() != 0;
    err = os::apply_before_connect(socket.get(), remote_.family(), options_.stream, with_port);
    if (err == 0) err = os::apply_connected(socket.get(), remote_.family(), options_.stream);
    if (err == 0 && options_.fast_open && remote_.is_inet()) err = os::connect_with_first_write(socket.get());
    if (err == 0 && is_specific(local)) err = os::bind(socket.get(), local);
    if (err != 0) return err;
    socket_ = std::move(socket);
    return start_watching(socket_.get(), os::writable);
  }

  // The system says whether it has pipes when it is asked to connect.
  [[nodiscard]] int prepare_pipe() const {
    if (options_.message_borders || !options_.local.is_empty()) return EINVAL;
    if (loop_impl().is_closed()) return ECANCELED;
    return has_named_pipes ? 0 : EAFNOSUPPORT;
  }

  void on_fd_event(FdEvent /*event*/) {
    const int err = os::take_error(socket_.get());
    if (err == 0) {
      complete();
      return;
    }
    close();
    finish(err);
  }

  void complete() {
    if (is_connected_to_itself(socket_.get())) {
      // Without a reset the port would linger, and the listener that was expected could not bind it.
      os::reset_on_close(socket_.get());
      close();
      finish(ECONNREFUSED);
      return;
    }
    int err = 0;
    auto stream = SocketStream::make(loop_impl(), socket_, type(), options_.stream, err, this);
    if (err == 0) {
      finish_with_backend(std::move(stream));
    } else {
      close();
      finish(err);
    }
  }

  void finish_with_backend(std::unique_ptr<StreamBackend> made) {
    try {
      finish_with(Stream(loop(), std::move(made), options_.stream));
    } catch (const std::bad_alloc&) {
      close();
      finish(ENOMEM);
    }
  }

  // Closes the watcher first: the number of a descriptor that was closed under it may be in use again.
  void close() noexcept {
    retry_ = Request<void>();
    stop_watching();
    socket_.reset();
  }

  void on_abandon() noexcept override { close(); }
  void on_delivery() noexcept override {
    close();
    tell_made(LifecycleKind::connected, *this, value_, remote_, nullptr);
  }

  Address remote_;
  ConnectOptions options_;
  UniqueSocket socket_;
  Request<void> retry_;
  std::chrono::milliseconds backlog_retry_ = first_backlog_retry;
};

}  // namespace detail

Request<Stream> Stream::connect(Loop& loop, const Address& remote, const ConnectOptions& options,
                                CallSite site) {
  auto* const state = detail::make_state<detail::ConnectState>(loop.core(), site);
  Request<Stream> request(state);
  if (options.timeout) request.set_timeout(*options.timeout);
  state->start(remote, options);
  return request;
}

namespace {

Request<Stream> connect_from(Loop& loop, const Address& local, const Address& remote, bool family_fits,
                             CallSite site) {
  if (family_fits) return Stream::connect(loop, remote, {.local = local}, site);
  return Stream::connect(loop, Address(), {}, site);
}

}  // namespace

Request<Stream> Stream::tcp_connect(Loop& loop, const Address& local, const Address& remote, CallSite site) {
  return connect_from(loop, local, remote, remote.is_inet() && (local.is_empty() || local.is_inet()), site);
}

Request<Stream> Stream::unix_connect(Loop& loop, const Address& local, const Address& remote, CallSite site) {
  return connect_from(loop, local, remote, remote.is_unix() && (local.is_empty() || local.is_unix()), site);
}

namespace {

// On failure the socket stays in `socket`.
Stream wrap_socket(Loop& loop, UniqueSocket& socket, os::SocketType type, const StreamOptions& options,
                   bool was_blocking, int& err) {
  auto stream = detail::SocketStream::make(detail::impl_of(loop.core()), socket, type, options, err);
  if (err != 0) return {};
  detail::SocketStream& made = *stream;
  made.set_was_blocking(was_blocking);
  std::unique_ptr<StreamBackend> backend = std::move(stream);
  try {
    return Stream(loop, std::move(backend), options);
  } catch (const std::bad_alloc&) {
    socket = made.release_socket();  // still there: the constructor has taken nothing
    err = ENOMEM;
    return {};
  }
}

std::pair<Stream, Stream> make_pair_of(os::SocketType type, Loop& loop, int& err) {
  UniqueSocket first;
  UniqueSocket second;
  err = os::open_pair(type, first, second);
  if (err != 0) return {};
  Stream left = wrap_socket(loop, first, type, {}, false, err);
  if (err != 0) return {};
  Stream right = wrap_socket(loop, second, type, {}, false, err);
  if (err != 0) return {};
  return {std::move(left), std::move(right)};
}

}  // namespace

std::pair<Stream, Stream> Stream::socketpair(Loop& loop, int& err) {
  return make_pair_of(os::SocketType::stream, loop, err);
}

std::pair<Stream, Stream> Stream::message_socketpair(Loop& loop, int& err) {
  return make_pair_of(os::SocketType::messages, loop, err);
}

Stream Stream::adopt(Loop& loop, UniqueSocket& socket, const StreamOptions& options, int& err) {
  os::SocketType type = os::SocketType::stream;
  err = socket ? os::check_socket(socket.get(), type, false) : EBADF;
  bool was_blocking = false;
  if (err == 0) err = os::prepare_adopted(socket, was_blocking);
  if (err == 0) err = os::apply_connected(socket.get(), os::local_address(socket.get()).family(), options);
  Stream stream;
  if (err == 0) stream = wrap_socket(loop, socket, type, options, was_blocking, err);
  if (err != 0 && was_blocking && socket) os::make_blocking(socket.get());
  return stream;
}

}  // namespace tsock::inline v0
