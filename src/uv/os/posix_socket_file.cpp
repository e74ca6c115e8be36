#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <limits>
#include <string_view>
#include <vector>

#include "uv/os/posix_file_calls.hpp"
#include "uv/os/socket_file.hpp"

namespace tsock::inline v0::os {

namespace {

// Permission bits of a socket that is being set up: no process may connect, and no finished socket has them.
constexpr mode_t unfinished_mode = S_ISVTX;
constexpr mode_t all_bits = 07777;

// The kernel reads up to a null byte or up to the length.
std::string_view text_of(const Address& address) noexcept {
  const auto* const unix_address = reinterpret_cast<const sockaddr_un*>(address.sockaddr_pointer());
  if (unix_address == nullptr) return {};
  const char* const text = unix_address->sun_path;
  const std::size_t most = address.sockaddr_length() - offsetof(sockaddr_un, sun_path);
  return {text, ::strnlen(text, most)};
}

FileIdentity identity_of(const struct stat& status) noexcept {
  return {static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino)};
}

bool looks_unfinished(const struct stat& status) noexcept {
  return (status.st_mode & all_bits) == unfinished_mode && status.st_uid == ::geteuid();
}

// A name that no other process uses.
std::array<char, 40> random_name() noexcept {
  std::array<char, 40> name{};
  std::snprintf(name.data(), name.size(), ".tsock-%016llx", static_cast<unsigned long long>(random_number()));
  return name;
}

}  // namespace

int find_group(const std::string& text, unsigned& group) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  // The highest number means "no change" to chown(2).
  if (const auto [stop, problem] = std::from_chars(begin, end, group);
      problem == std::errc() && stop == end && begin != end)
    return group != std::numeric_limits<gid_t>::max() ? 0 : EINVAL;
  constexpr std::size_t most = std::size_t{64} << 20U;
  struct group entry {};
  struct group* found = nullptr;
  // The entry includes the name of every member, so that it may need much room.
  for (std::vector<char> buffer(4096);; buffer.resize(buffer.size() * 4)) {
    const int err = ::getgrnam_r(text.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (err == EINTR || (err == ERANGE && buffer.size() < most)) continue;
    if (found == nullptr) {
      // Systems differ in how they report an unknown group, see getgrnam_r(3).
      const bool unknown = err == 0 || err == ENOENT || err == ESRCH || err == EBADF || err == EPERM;
      return unknown ? EINVAL : err;
    }
    group = found->gr_gid;
    return 0;
  }
}

int SocketFile::open(const Address& address) noexcept {
  const std::string_view text = text_of(address);
  const std::size_t slash = text.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? text : text.substr(slash + 1);
  if (name.empty() || name.size() >= name_.size()) return name.empty() ? EINVAL : ENAMETOOLONG;
  std::array<char, sizeof(sockaddr_un::sun_path) + 2> directory{'.'};
  if (slash != std::string_view::npos) std::copy_n(text.begin(), slash + 1, directory.begin());
  name_ = {};
  std::copy(name.begin(), name.end(), name_.begin());
  UniqueFd fd(::open(directory.data(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // A process may be allowed to use a directory and not to read it; the directory cannot be locked then.
  if (!fd && errno == EACCES) fd = open_unreadable_directory(directory.data());
  if (!fd) return errno;
  if (fd.get() <= 2) {
    const int moved = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3);
    if (moved < 0) return errno;
    fd.reset(moved);
  }
  directory_ = std::move(fd);
  process_ = ::getpid();
  return 0;
}

bool SocketFile::lock() noexcept {
  constexpr unsigned most_tries = 1000;
  for (unsigned tries = 0; tries < most_tries; ++tries) {
    if (::flock(directory_.get(), LOCK_EX | LOCK_NB) == 0) return locked_ = true;
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return false;
    const timespec pause{.tv_sec = 0, .tv_nsec = 1'000'000};
    ::nanosleep(&pause, nullptr);
  }
  return false;
}

// Unlocks explicitly: closing does not unlock while a forked process has the descriptor, too.
void SocketFile::unlock() noexcept {
  if (locked_) ::flock(directory_.get(), LOCK_UN);
  locked_ = false;
}

int SocketFile::prepare(NativeSocket socket, const FileAccess& access) noexcept {
  // bind(2) gives the file the permission bits of the socket, less the umask.
  return !access.is_given() || ::fchmod(socket, unfinished_mode) == 0 ? 0 : errno;
}

int SocketFile::look() noexcept {
  unfinished_ = false;
  struct stat status {};
  if (::fstatat(directory_.get(), name_.data(), &status, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  if (!S_ISSOCK(status.st_mode)) return EEXIST;
  identity_ = identity_of(status);
  unfinished_ = looks_unfinished(status);
  return 0;
}

int SocketFile::claim(const FileAccess& access) noexcept {
  UniqueFd fd;
  struct stat status {};
  if (const int err = hold_file(directory_.get(), name_.data(), fd, status); err != 0)
    return err == ENOENT || err == ELOOP ? EADDRINUSE : err;
  // Another socket in its place is not ours, any more than a file is.
  const bool ours =
      S_ISSOCK(status.st_mode) && (!access.is_given() || (looks_unfinished(status) && status.st_nlink == 1));
  if (!ours) return EADDRINUSE;
  identity_ = identity_of(status);
  if (access.is_given()) claimed_ = std::move(fd);
  return 0;
}

int SocketFile::finish(const FileAccess& access) noexcept {
  const UniqueFd fd = std::move(claimed_);
  if (!access.is_given()) return 0;
  const int directory = directory_.get();
  if (access.group) {
    if (const int err = set_group(directory, name_.data(), fd, static_cast<gid_t>(*access.group)); err != 0)
      return err;
  }
  constexpr mode_t everything = 0777;
  return set_mode(
      directory, name_.data(), fd,
      access.mode ? static_cast<mode_t>(*access.mode) & all_bits : everything & ~creation_mask(directory));
}

int SocketFile::remove() noexcept {
  if (::getpid() != process_) return EPERM;
  const int directory = directory_.get();
  struct stat status {};
  if (::fstatat(directory, name_.data(), &status, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  if (!S_ISSOCK(status.st_mode) || identity_of(status) != identity_) return EADDRINUSE;
  // Another file may have the name by now, and unlink(2) removes whatever has it: move it aside, then check.
  const std::array<char, 40> aside = random_name();
  if (const int err = move_aside(directory, name_.data(), aside.data()); err != 0) {
    if (err != ENOSYS && err != EINVAL) return err;
    return ::unlinkat(directory, name_.data(), 0) == 0 ? 0 : errno;
  }
  if (::fstatat(directory, aside.data(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      identity_of(status) == identity_)
    return ::unlinkat(directory, aside.data(), 0) == 0 ? 0 : errno;
  // If the name is taken again, the other file keeps the random name.
  put_back(directory, aside.data(), name_.data());
  return EADDRINUSE;
}

}  // namespace tsock::inline v0::os
