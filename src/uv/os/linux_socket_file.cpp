#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

#include "uv/os/socket_file.hpp"

namespace tsock::os {

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

// O_PATH also opens a socket; other systems have nothing to open it by.
#if defined(O_PATH)
constexpr int path_only = O_PATH;
#else
constexpr int path_only = O_RDONLY;
#endif

// The umask of the process; a careful one when it cannot be read. umask(2) would change it for all threads.
mode_t creation_mask() noexcept {
  constexpr mode_t careful = 077;
  const UniqueFd fd(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
  if (!fd) return careful;
  std::array<char, 512> text{};
  const ssize_t size = ::read(fd.get(), text.data(), text.size());
  if (size <= 0) return careful;
  const std::string_view status(text.data(), static_cast<std::size_t>(size));
  constexpr std::string_view key = "Umask:\t";
  const std::size_t at = status.find(key);
  if (at == std::string_view::npos) return careful;
  unsigned mask = 0;
  const char* const begin = status.data() + at + key.size();
  const auto [stop, problem] = std::from_chars(begin, status.data() + status.size(), mask, 8);
  return problem == std::errc() ? static_cast<mode_t>(mask) : careful;
}

int set_mode(int fd, mode_t mode) noexcept {
#if defined(SYS_fchmodat2) && defined(AT_EMPTY_PATH)
  if (::syscall(SYS_fchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0) return 0;
  if (errno != ENOSYS && errno != EPERM && errno != EINVAL) return errno;
#endif
  // The /proc link of the descriptor leads to the file that was opened, whatever has its name now.
  std::array<char, 32> link{};
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", fd);
  return ::chmod(link.data(), mode) == 0 ? 0 : errno;
}

// A name that no other process uses.
std::array<char, 40> random_name() noexcept {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof(number), GRND_NONBLOCK) != static_cast<ssize_t>(sizeof(number))) {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    number = (static_cast<std::uint64_t>(::getpid()) << 32U) ^ static_cast<std::uint64_t>(now.tv_nsec);
  }
  std::array<char, 40> name{};
  std::snprintf(name.data(), name.size(), ".tsock-%016llx", static_cast<unsigned long long>(number));
  return name;
}

int rename_to_new(int directory, const char* from, const char* to) noexcept {
#if defined(RENAME_NOREPLACE)
  return ::renameat2(directory, from, directory, to, RENAME_NOREPLACE) == 0 ? 0 : errno;
#else
  static_cast<void>(directory), static_cast<void>(from), static_cast<void>(to);
  return ENOSYS;
#endif
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
  if (!fd && errno == EACCES) fd.reset(::open(directory.data(), path_only | O_DIRECTORY | O_CLOEXEC));
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
  UniqueFd fd(::openat(directory_.get(), name_.data(), path_only | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return errno == ENOENT || errno == ELOOP ? EADDRINUSE : errno;
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return errno;
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
  if (!fd) return 0;
#if defined(AT_EMPTY_PATH)
  if (access.group &&
      ::fchownat(fd.get(), "", static_cast<uid_t>(-1), static_cast<gid_t>(*access.group), AT_EMPTY_PATH) != 0)
    return errno;
#endif
  constexpr mode_t everything = 0777;
  return set_mode(fd.get(),
                  access.mode ? static_cast<mode_t>(*access.mode) & all_bits : everything & ~creation_mask());
}

int SocketFile::remove() noexcept {
  if (::getpid() != process_) return EPERM;
  const int directory = directory_.get();
  struct stat status {};
  if (::fstatat(directory, name_.data(), &status, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  if (!S_ISSOCK(status.st_mode) || identity_of(status) != identity_) return EADDRINUSE;
  // Another file may have the name by now, and unlink(2) removes whatever has it: move it aside, then check.
  const std::array<char, 40> aside = random_name();
  if (const int err = rename_to_new(directory, name_.data(), aside.data()); err != 0) {
    if (err != ENOSYS && err != EINVAL) return err;
    return ::unlinkat(directory, name_.data(), 0) == 0 ? 0 : errno;
  }
  if (::fstatat(directory, aside.data(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      identity_of(status) == identity_)
    return ::unlinkat(directory, aside.data(), 0) == 0 ? 0 : errno;
  // If the name is taken again, the other file keeps the random name.
  rename_to_new(directory, aside.data(), name_.data());
  return EADDRINUSE;
}

}  // namespace tsock::os
