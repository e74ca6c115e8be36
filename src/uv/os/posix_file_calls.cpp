#include "uv/os/posix_file_calls.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include "uv/os/posix_call.hpp"

namespace tsock::inline v0::os {

namespace {

#if defined(O_SEARCH)
constexpr int search_only = O_SEARCH;
#else
constexpr int search_only = O_RDONLY;
#endif

}  // namespace

UniqueFd open_unreadable_directory(const char* path) noexcept {
  return UniqueFd(::open(path, search_only | O_DIRECTORY | O_CLOEXEC));
}

int hold_file(int directory, const char* name, UniqueFd& /*fd*/, struct stat& status) noexcept {
  return ::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}

int set_group(int directory, const char* name, const UniqueFd& /*fd*/, gid_t group) noexcept {
  return ::fchownat(directory, name, static_cast<uid_t>(-1), group, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}

int set_mode(int directory, const char* name, const UniqueFd& /*fd*/, mode_t mode) noexcept {
  return ::fchmodat(directory, name, mode, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}

// A file that is made for that shows the bits that umask(2) takes away.
mode_t creation_mask(int directory) noexcept {
  constexpr mode_t careful = 077;
  constexpr mode_t everything = 0777;
  std::array<char, 40> name{};
  std::snprintf(name.data(), name.size(), ".tsock-%016llx", static_cast<unsigned long long>(random_number()));
  const UniqueFd fd(::openat(directory, name.data(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, everything));
  if (!fd) return careful;
  struct stat status {};
  const bool known = ::fstat(fd.get(), &status) == 0;
  ::unlinkat(directory, name.data(), 0);
  return known ? everything & ~status.st_mode : careful;
}

// Replaces a file of that name. The name is random, and no process has a reason to use it.
int move_aside(int directory, const char* name, const char* aside) noexcept {
  return ::renameat(directory, name, directory, aside) == 0 ? 0 : errno;
}

void put_back(int directory, const char* aside, const char* name) noexcept {
  if (::linkat(directory, aside, directory, name, 0) == 0) ::unlinkat(directory, aside, 0);
}

std::uint64_t random_number() noexcept {
  std::uint64_t number = 0;
  const UniqueFd source(::open("/dev/urandom", O_RDONLY | O_CLOEXEC));
  if (source && ::read(source.get(), &number, sizeof(number)) == static_cast<ssize_t>(sizeof(number)))
    return number;
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return (static_cast<std::uint64_t>(::getpid()) << 32U) ^ static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace tsock::inline v0::os
