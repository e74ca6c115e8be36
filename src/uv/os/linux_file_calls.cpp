#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string_view>

#include "uv/os/posix_file_calls.hpp"

namespace tsock::inline v0::os {

namespace {

int rename_to_new(int directory, const char* from, const char* to) noexcept {
  return ::renameat2(directory, from, directory, to, RENAME_NOREPLACE) == 0 ? 0 : errno;
}

}  // namespace

UniqueFd open_unreadable_directory(const char* path) noexcept {
  return UniqueFd(::open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
}

int hold_file(int directory, const char* name, UniqueFd& fd, struct stat& status) noexcept {
  // O_PATH also opens a socket.
  fd.reset(::openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  return fd && ::fstat(fd.get(), &status) == 0 ? 0 : errno;
}

int set_group(int /*directory*/, const char* /*name*/, const UniqueFd& fd, gid_t group) noexcept {
  return ::fchownat(fd.get(), "", static_cast<uid_t>(-1), group, AT_EMPTY_PATH) == 0 ? 0 : errno;
}

int set_mode(int /*directory*/, const char* /*name*/, const UniqueFd& fd, mode_t mode) noexcept {
#if defined(SYS_fchmodat2)
  if (::syscall(SYS_fchmodat2, fd.get(), "", mode, AT_EMPTY_PATH) == 0) return 0;
  if (errno != ENOSYS && errno != EPERM && errno != EINVAL) return errno;
#endif
  // The /proc link of the descriptor leads to the file that was opened, whatever has its name now.
  std::array<char, 32> link{};
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", fd.get());
  return ::chmod(link.data(), mode) == 0 ? 0 : errno;
}

mode_t creation_mask(int /*directory*/) noexcept {
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

int move_aside(int directory, const char* name, const char* aside) noexcept {
  return rename_to_new(directory, name, aside);
}

void put_back(int directory, const char* aside, const char* name) noexcept {
  rename_to_new(directory, aside, name);
}

std::uint64_t random_number() noexcept {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof(number), GRND_NONBLOCK) == static_cast<ssize_t>(sizeof(number)))
    return number;
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return (static_cast<std::uint64_t>(::getpid()) << 32U) ^ static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace tsock::inline v0::os
