#include "uv/socket_listener.hpp"

#include <cerrno>
#include <new>
#include <tsock/listener.hpp>
#include <tsock/loop.hpp>
#include <utility>

#include "core/base/errno_class.hpp"
#include "uv/bind_unix.hpp"
#include "uv/loop_impl.hpp"
#include "uv/named_pipe.hpp"
#include "uv/socket_stream.hpp"

namespace tsock::inline v0 {

namespace detail {

SocketListener::SocketListener(LoopImpl& loop, UniqueSocket socket, os::SocketType type,
                               const StreamOptions& accepted, bool options_set)
    : FdWatcher(loop),
      socket_(std::move(socket)),
      type_(type),
      accepted_(accepted),
      family_(os::local_address(socket_.get()).family()),
      inherited_(options_set && os::accepted_inherit_options(family_)) {}

SocketListener::~SocketListener() {
  stop_watching();
  // Removed before the socket is closed: until then no other file has the same identity.
  if (file_) file_->remove();
  if (was_blocking_ && socket_) os::make_blocking(socket_.get());
}

UniqueSocket SocketListener::release_socket() noexcept {
  stop_watching();
  if (was_blocking_) os::make_blocking(socket_.get());
  return std::move(socket_);
}

int SocketListener::try_accept(std::unique_ptr<StreamBackend>& stream) noexcept {
  int err = 0;
  UniqueSocket socket = unmade_ ? std::move(unmade_) : os::accept(socket_.get(), err);
  if (!socket) return err;
  err = make_stream(socket, stream);
  if (err == 0) return 0;
  if (is_shortage(err)) {
    unmade_ = std::move(socket);
    return err;
  }
  // A connection that has broken since takes no options. Otherwise the options are wrong, and the accept has
  // to report that.
  return os::remote_address(socket.get()).is_empty() ? ECONNABORTED : EINVAL;
}

int SocketListener::make_stream(UniqueSocket& socket, std::unique_ptr<StreamBackend>& stream) {
  int err = os::lift_above_stdio(socket);
  if (err == 0 && !inherited_) err = os::apply_connected(socket.get(), family_, accepted_);
  if (err != 0) return err;
  stream = SocketStream::make(loop_impl(), socket, type_, accepted_, err);
  return err;
}

namespace {

int bind_and_listen(NativeSocket socket, os::SocketType type, const Address& address,
                    const ListenerOptions& options, std::optional<os::SocketFile>& file) {
  int err = os::apply_listener(socket, address.family(), options);
  if (err != 0) return err;
  if (!address.is_unix()) {
    err = os::bind(socket, address);
    return err != 0 ? err : os::listen(socket, options.backlog);
  }
  UnixBinding binding{.stale = options.stale_socket, .backlog = options.backlog};
  if (!address.is_abstract()) err = find_access(options.mode, options.group, binding.access);
  if (err != 0) return err;
  return bind_unix(socket, type, address, binding, file);
}

Listener listen_on_pipe(Loop& loop, const Address& address, const ListenerOptions& options, int& err) {
  err = options.backlog < 0 || options.message_borders || options.reuse_port || options.fast_open < 0 ? EINVAL
                                                                                                      : 0;
  if (err == 0 && !has_named_pipes) err = EAFNOSUPPORT;
  if (err == 0 && (options.mode || options.group)) err = ENOTSUP;
  if (err != 0) return {};
  try {
    std::unique_ptr<ListenerBackend> backend;
    err = serve_named_pipe(impl_of(loop.core()), address, options, backend);
    return err == 0 ? Listener(loop, std::move(backend), options.stream) : Listener();
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
    return {};
  }
}

}  // namespace

}  // namespace detail

Listener Listener::listen(Loop& loop, const Address& address, const ListenerOptions& options, int& err) {
  if (address.is_pipe()) return detail::listen_on_pipe(loop, address, options, err);
  err = address.is_inet() || (address.is_unix() && !address.is_unnamed()) ? 0 : EINVAL;
  if (err == 0 && (options.backlog < 0 || (options.message_borders && !address.is_unix()))) err = EINVAL;
  if (err != 0) return {};
  const auto type = options.message_borders ? os::SocketType::messages : os::SocketType::stream;
  UniqueSocket socket = os::open_socket(address.family(), type, err);
  if (err != 0) return {};
  try {
    auto owner = std::make_unique<detail::SocketListener>(detail::impl_of(loop.core()), std::move(socket),
                                                          type, options.stream, true);
    detail::SocketListener& made = *owner;
    // From here on, a failure also removes the file.
    std::optional<os::SocketFile> file;
    err = detail::bind_and_listen(made.native_handle(), type, address, options, file);
    if (file) made.own_file(*std::move(file));
    if (err == 0) err = made.open();
    if (err != 0) return {};
    std::unique_ptr<ListenerBackend> backend = std::move(owner);
    Listener listener(loop, std::move(backend), options.stream);
    if (!options.unlink_on_close) made.keep_file();
    return listener;
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
    return {};
  }
}

Listener Listener::tcp(Loop& loop, const Address& address, const ListenerOptions& options, int& err) {
  return listen(loop, address.is_inet() ? address : Address(), options, err);
}

Listener Listener::unix_stream(Loop& loop, const Address& address, const ListenerOptions& options, int& err) {
  return listen(loop, address.is_unix() ? address : Address(), options, err);
}

Listener Listener::adopt(Loop& loop, UniqueSocket& socket, const StreamOptions& accepted, int& err) {
  os::SocketType type = os::SocketType::stream;
  err = socket ? os::check_socket(socket.get(), type, true) : EBADF;
  bool was_blocking = false;
  if (err == 0) err = os::prepare_adopted(socket, was_blocking);
  if (err != 0) return {};
  try {
    auto owner = std::make_unique<detail::SocketListener>(detail::impl_of(loop.core()), std::move(socket),
                                                          type, accepted, false);
    detail::SocketListener& made = *owner;
    made.set_was_blocking(was_blocking);
    std::unique_ptr<ListenerBackend> backend = std::move(owner);
    err = made.open();
    if (err == 0) {
      try {
        return Listener(loop, std::move(backend), accepted);
      } catch (const std::bad_alloc&) {
        err = ENOMEM;
      }
    }
    socket = made.release_socket();  // which is still there: the constructor has taken nothing
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
    if (was_blocking) os::make_blocking(socket.get());
  }
  return {};
}

}  // namespace tsock::inline v0
