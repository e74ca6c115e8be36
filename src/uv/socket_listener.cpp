#include "uv/socket_listener.hpp"

#include <cerrno>
#include <new>
#include <tsock/listener.hpp>
#include <tsock/loop.hpp>
#include <utility>

#include "core/base/errno_class.hpp"
#include "uv/bind_unix.hpp"
#include "uv/loop_impl.hpp"
#include "uv/socket_stream.hpp"

namespace tsock {

namespace detail {

SocketListener::SocketListener(LoopImpl& loop, UniqueFd fd, const StreamOptions& accepted, bool options_set)
    : FdWatcher(loop),
      fd_(std::move(fd)),
      accepted_(accepted),
      family_(os::local_address(fd_.get()).family()),
      inherited_(options_set && os::accepted_inherit_options(family_)) {}

SocketListener::~SocketListener() {
  stop_watching();
  // Before the socket is closed: until then no other file has the same identity.
  if (file_) file_->remove();
  if (was_blocking_ && fd_) os::make_blocking(fd_.get());
}

UniqueFd SocketListener::release() noexcept {
  stop_watching();
  if (was_blocking_) os::make_blocking(fd_.get());
  return std::move(fd_);
}

int SocketListener::try_accept(std::unique_ptr<StreamBackend>& stream) noexcept {
  int err = 0;
  UniqueFd fd = unmade_ ? std::move(unmade_) : os::accept(fd_.get(), err);
  if (!fd) return err;
  err = make_stream(fd, stream);
  if (err == 0) return 0;
  if (is_shortage(err)) {
    unmade_ = std::move(fd);
    return err;
  }
  // One that died since then takes no options. Otherwise the options are wrong, and whoever accepts has to
  // hear of it.
  return os::remote_address(fd.get()).is_empty() ? ECONNABORTED : EINVAL;
}

int SocketListener::make_stream(UniqueFd& fd, std::unique_ptr<StreamBackend>& stream) {
  int err = os::lift_above_stdio(fd);
  if (err == 0 && !inherited_) err = os::apply_connected(fd.get(), family_, accepted_);
  if (err != 0) return err;
  stream = SocketStream::make(loop_impl(), fd, accepted_, err);
  return err;
}

namespace {

int bind_and_listen(int fd, const Address& address, const ListenerOptions& options,
                    std::optional<os::SocketFile>& file) {
  int err = os::apply_listener(fd, address.family(), options);
  if (err != 0) return err;
  if (!address.is_unix()) {
    err = os::bind(fd, address);
    return err != 0 ? err : os::listen(fd, options.backlog);
  }
  UnixBinding binding{.stale = options.stale_socket, .backlog = options.backlog};
  if (!address.is_abstract()) err = find_access(options.mode, options.group, binding.access);
  if (err != 0) return err;
  return bind_unix(fd, os::SocketType::stream, address, binding, file);
}

}  // namespace

}  // namespace detail

Listener Listener::listen(Loop& loop, const Address& address, const ListenerOptions& options, int& err) {
  err = address.is_inet() || (address.is_unix() && !address.is_unnamed()) ? 0 : EINVAL;
  if (err == 0 && options.backlog < 0) err = EINVAL;
  if (err != 0) return {};
  UniqueFd fd = os::open_socket(address.family(), os::SocketType::stream, err);
  if (err != 0) return {};
  try {
    auto socket = std::make_unique<detail::SocketListener>(detail::impl_of(loop.core()), std::move(fd),
                                                           options.stream, true);
    detail::SocketListener& made = *socket;
    // From here on what fails takes the file along.
    std::optional<os::SocketFile> file;
    err = detail::bind_and_listen(made.native_handle(), address, options, file);
    if (file) made.own_file(*std::move(file));
    if (err == 0) err = made.open();
    if (err != 0) return {};
    std::unique_ptr<ListenerBackend> backend = std::move(socket);
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

Listener Listener::adopt(Loop& loop, UniqueFd& fd, const StreamOptions& accepted, int& err) {
  err = fd ? os::check_socket(fd.get(), os::SocketType::stream, true) : EBADF;
  bool was_blocking = false;
  if (err == 0) err = os::prepare_adopted(fd, was_blocking);
  if (err != 0) return {};
  try {
    auto socket = std::make_unique<detail::SocketListener>(detail::impl_of(loop.core()), std::move(fd),
                                                           accepted, false);
    detail::SocketListener& made = *socket;
    made.set_was_blocking(was_blocking);
    std::unique_ptr<ListenerBackend> backend = std::move(socket);
    err = made.open();
    if (err == 0) {
      try {
        return Listener(loop, std::move(backend), accepted);
      } catch (const std::bad_alloc&) {
        err = ENOMEM;
      }
    }
    fd = made.release();  // which is still there: the constructor has taken nothing
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
    if (was_blocking) os::make_blocking(fd.get());
  }
  return {};
}

}  // namespace tsock
