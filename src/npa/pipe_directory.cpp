#include "npa/pipe_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <tsock/unique_fd.hpp>

namespace tsock::inline v0::npa {

namespace {

constexpr mode_t own_mode = 0700;

std::string octal(mode_t mode) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(mode & 07777U));
  return text.data();
}

// Whether only we, and root, may write to the directory.
int check(int fd, const std::string& path, bool may_be_sticky, std::string& reason) {
  struct ::stat status {};
  if (::fstat(fd, &status) != 0) return errno;
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    reason = path + " belongs to uid " + std::to_string(status.st_uid);
    return EPERM;
  }
  const bool is_shared = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  if (!is_shared || (may_be_sticky && (status.st_mode & S_ISVTX) != 0)) return 0;
  reason = path + " may be written to by others (mode " + octal(status.st_mode) + ")";
  return EPERM;
}

}  // namespace

int prepare_pipe_directory(const std::string& directory, std::string& reason) {
  const UniqueFd parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.get() < 0) {
    const int err = errno;
    reason = "cannot open " + directory;
    return err;
  }
  if (const int err = check(parent.get(), directory, true, reason); err != 0) return err;
  const std::string path = directory + "/np";
  if (::mkdirat(parent.get(), "np", own_mode) != 0 && errno != EEXIST) {
    const int err = errno;
    reason = "cannot make " + path;
    return err;
  }
  const UniqueFd pipes(::openat(parent.get(), "np", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (pipes.get() < 0) {
    const int err = errno;
    if (err == ENOTDIR || err == ELOOP) {
      reason = path + " is a symbolic link, or no directory";
      return ENOTDIR;
    }
    reason = "cannot open " + path;
    return err;
  }
  return check(pipes.get(), path, false, reason);
}

}  // namespace tsock::inline v0::npa
