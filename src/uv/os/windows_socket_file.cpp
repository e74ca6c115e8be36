#include <algorithm>
#include <cerrno>
#include <string_view>

#include "uv/os/socket_file.hpp"
#include "uv/os/windows_call.hpp"

// The file of a unix socket, by its path. Who may connect is a matter of the directory.
namespace tsock::inline v0::os {

namespace {

// A socket's file is a reparse point of a kind of its own.
constexpr unsigned long socket_tag = 0x80000023;  // IO_REPARSE_TAG_AF_UNIX of newer headers

int identify(const char* path, FileIdentity& identity, bool& is_socket) noexcept {
  WIN32_FIND_DATAA found{};
  const HANDLE search = ::FindFirstFileA(path, &found);
  if (search == INVALID_HANDLE_VALUE) return errno_of_system(::GetLastError());
  ::FindClose(search);
  is_socket = (found.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 && found.dwReserved0 == socket_tag;
  const HANDLE file =
      ::CreateFileA(path, 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr, OPEN_EXISTING,
                    FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, nullptr);
  if (file == INVALID_HANDLE_VALUE) return errno_of_system(::GetLastError());
  BY_HANDLE_FILE_INFORMATION information{};
  const bool is_known = ::GetFileInformationByHandle(file, &information) != 0;
  const int err = is_known ? 0 : errno_of_system(::GetLastError());
  ::CloseHandle(file);
  identity = {.device = information.dwVolumeSerialNumber,
              .inode = (std::uint64_t{information.nFileIndexHigh} << 32U) | information.nFileIndexLow};
  return err;
}

}  // namespace

int find_group(const std::string& /*text*/, unsigned& /*group*/) { return ENOTSUP; }

int SocketFile::open(const Address& address) noexcept {
  int err = 0;
  const std::string_view path = address.unix_path(err);
  if (path.empty() || path.size() >= name_.size()) return path.empty() ? EINVAL : ENAMETOOLONG;
  name_ = {};
  std::copy(path.begin(), path.end(), name_.begin());
  return 0;
}

bool SocketFile::lock() noexcept { return false; }

void SocketFile::unlock() noexcept {}

int SocketFile::prepare(NativeSocket /*socket*/, const FileAccess& access) noexcept {
  return access.is_given() ? ENOTSUP : 0;
}

int SocketFile::look() noexcept {
  bool is_socket = false;
  const int err = identify(name_.data(), identity_, is_socket);
  return err == 0 && !is_socket ? EEXIST : err;
}

int SocketFile::claim(const FileAccess& /*access*/) noexcept {
  const int err = look();
  return err == ENOENT || err == EEXIST ? EADDRINUSE : err;
}

int SocketFile::finish(const FileAccess& /*access*/) noexcept { return 0; }

int SocketFile::remove() noexcept {
  FileIdentity identity;
  bool is_socket = false;
  if (const int err = identify(name_.data(), identity, is_socket); err != 0) return err;
  if (!is_socket || identity != identity_) return EADDRINUSE;
  return ::DeleteFileA(name_.data()) != 0 ? 0 : errno_of_system(::GetLastError());
}

}  // namespace tsock::inline v0::os
