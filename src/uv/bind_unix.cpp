#include "uv/bind_unix.hpp"

#include <cerrno>
#include <tsock/unique_fd.hpp>
#include <utility>

namespace tsock::inline v0::detail {

namespace {

// Whether a live socket is bound to the address. EPROTOTYPE (it has another type) and EPERM (it is connected
// elsewhere) also mean that one is.
bool is_alive(os::SocketType type, const Address& address) {
  int err = 0;
  const UniqueSocket socket = os::open_socket(address.family(), type, err);
  if (!socket) return true;
  err = os::connect(socket.get(), address);
  return err != ECONNREFUSED && err != ENOENT;
}

int listen_if_told(NativeSocket socket, const UnixBinding& binding) {
  return binding.backlog ? os::listen(socket, *binding.backlog) : 0;
}

class LockedFile {
 public:
  explicit LockedFile(os::SocketFile& file) noexcept : file_(file), locked_(file.lock()) {}
  LockedFile(const LockedFile&) = delete;
  LockedFile& operator=(const LockedFile&) = delete;
  ~LockedFile() { file_.unlock(); }
  explicit operator bool() const noexcept { return locked_; }

 private:
  os::SocketFile& file_;
  bool locked_;
};

int make_way(os::SocketFile& file, bool locked, os::SocketType type, const Address& address,
             StaleSocket stale) {
  const int found = file.look();
  if (found == ENOENT) return 0;
  if (found != 0) return found == EEXIST ? EADDRINUSE : found;
  if (stale == StaleSocket::probe_and_replace) {
    // An unfinished file that exists while we hold the lock is left over from a crash.
    const bool abandoned = file.is_unfinished() && locked;
    if (!abandoned && is_alive(type, address)) return EADDRINUSE;
  }
  const int err = file.remove();
  return err == ENOENT ? 0 : err;
}

}  // namespace

int find_access(const std::optional<unsigned>& mode, const std::optional<std::string>& group,
                os::FileAccess& access) {
  access = {.mode = mode};
  if (!group) return 0;
  unsigned number = 0;
  const int err = os::find_group(*group, number);
  if (err == 0) access.group = number;
  return err;
}

int bind_unix(NativeSocket socket, os::SocketType type, const Address& address, const UnixBinding& binding,
              std::optional<os::SocketFile>& file) {
  if (address.is_abstract()) {
    const int err = os::bind(socket, address);
    return err == 0 ? listen_if_told(socket, binding) : err;
  }
  os::SocketFile made;
  int err = made.open(address);
  if (err != 0) return err;
  const LockedFile locked(made);
  err = os::SocketFile::prepare(socket, binding.access);
  if (err == 0) err = os::bind(socket, address);
  if (err == EADDRINUSE && binding.stale != StaleSocket::fail) {
    err = make_way(made, static_cast<bool>(locked), type, address, binding.stale);
    if (err == 0) err = os::bind(socket, address);
  }
  if (err == 0) err = made.claim(binding.access);
  if (err != 0) return err;
  err = listen_if_told(socket, binding);
  if (err == 0) err = made.finish(binding.access);
  if (err != 0) {
    made.remove();
    return err;
  }
  made.unlock();
  file = std::move(made);
  return 0;
}

}  // namespace tsock::inline v0::detail
