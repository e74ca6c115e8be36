#include "uv/socket_listener.hpp"

#include <cerrno>
#include <tsock/listener.hpp>
#include <tsock/loop.hpp>
#include <utility>

#include "core/shortage.hpp"
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
  if (was_blocking_ && fd_) os::make_blocking(fd_.get());
  if (!file_) return;
  // Somebody may have put a socket of his own there since.
  os::FileIdentity now;
  if (os::identify_socket_file(file_->address, now) == 0 && now == file_->identity)
    os::unlink_socket_file(file_->address);
}

void SocketListener::own_file(const Address& address, os::FileIdentity identity) {
  file_ = OwnedFile{address, identity};
}

UniqueFd SocketListener::release() noexcept {
  stop_watching();
  if (was_blocking_) os::make_blocking(fd_.get());
  return std::move(fd_);
}

int SocketListener::try_accept(std::unique_ptr<StreamBackend>& stream) noexcept {
  for (;;) {
    int err = 0;
    UniqueFd fd = unmade_ ? std::move(unmade_) : os::accept(fd_.get(), err);
    if (!fd) return err;
    err = make_stream(fd, stream);
    if (err == 0) return 0;
    if (is_shortage(err)) {
      unmade_ = std::move(fd);
      return err;
    }
    // One that died since then takes no options: the next one. Otherwise the options are wrong, and whoever
    // accepts has to hear of it.
    if (!os::remote_address(fd.get()).is_empty()) return err;
  }
}

int SocketListener::make_stream(UniqueFd& fd, std::unique_ptr<StreamBackend>& stream) {
  int err = os::lift_above_stdio(fd);
  if (err == 0 && !inherited_) err = os::apply_connected(fd.get(), family_, accepted_);
  if (err != 0) return err;
  stream = SocketStream::make(loop_impl(), fd, accepted_, err);
  return err;
}

namespace {

// On success `file` tells whether the path is ours now.
int bind_and_listen(int fd, const Address& address, const ListenerOptions& options,
                    std::optional<os::FileIdentity>& file) {
  int err = os::apply_listener(fd, address.family(), options);
  if (err != 0) return err;
  if (!address.is_unix()) {
    err = os::bind(fd, address);
    return err != 0 ? err : os::listen(fd, options.backlog);
  }
  err = bind_unix(fd, os::SocketType::stream, address, options.stale_socket);
  if (err != 0) return err;
  if (!address.is_abstract()) {
    os::FileIdentity identity;
    err = os::identify_socket_file(address, identity);
    if (err == 0) file = identity;
    if (err == 0) err = os::set_socket_file_access(address, options);
  }
  if (err == 0) err = os::listen(fd, options.backlog);
  if (err != 0 && file) os::unlink_socket_file(address);
  return err;
}

}  // namespace

}  // namespace detail

Listener Listener::listen(Loop& loop, const Address& address, const ListenerOptions& options, int& err) {
  err = address.is_inet() || (address.is_unix() && !address.is_unnamed()) ? 0 : EINVAL;
  if (err == 0 && options.backlog < 0) err = EINVAL;
  if (err != 0) return {};
  UniqueFd fd = os::open_socket(address.family(), os::SocketType::stream, err);
  if (err != 0) return {};
  std::optional<os::FileIdentity> file;
  err = detail::bind_and_listen(fd.get(), address, options, file);
  if (err != 0) return {};
  auto socket = std::make_unique<detail::SocketListener>(detail::impl_of(loop.core()), std::move(fd),
                                                         options.stream, true);
  if (file && options.unlink_on_close) socket->own_file(address, *file);
  err = socket->open();
  if (err != 0) return {};
  return Listener(loop, std::move(socket), options.stream);
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
  auto socket =
      std::make_unique<detail::SocketListener>(detail::impl_of(loop.core()), std::move(fd), accepted, false);
  socket->set_was_blocking(was_blocking);
  err = socket->open();
  if (err != 0) {
    fd = socket->release();
    return {};
  }
  return Listener(loop, std::move(socket), accepted);
}

}  // namespace tsock
