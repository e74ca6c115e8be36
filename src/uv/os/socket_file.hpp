#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <tsock/address.hpp>
#include <tsock/native_socket.hpp>
#include <tsock/unique_fd.hpp>

/// The files of unix sockets. The directory is held by a descriptor and nothing follows a symbolic link in
/// the last component, so that no process with write access to the directory can redirect a call to another
/// file.
namespace tsock::inline v0::os {

/// Who may connect.
struct FileAccess {
  std::optional<unsigned> mode = std::nullopt;   ///< permission bits
  std::optional<unsigned> group = std::nullopt;  ///< owner group
  [[nodiscard]] bool is_given() const noexcept { return mode || group; }
};

/// The number of a group that is given by name or by number. \return 0, EINVAL when there is no such group,
/// or an error of the group database.
int find_group(const std::string& text, unsigned& group);

/// Identity of a file, by which a process recognises its own socket file. The system gives an inode's number
/// to another file only when the socket that is bound to it is closed.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

/// One name in one directory, of a socket that exists or is to be made. It stays the same when the process
/// changes its working directory.
class SocketFile {
 public:
  /// Opens the directory of the path. \return 0 or an errno value.
  int open(const Address& address) noexcept;

  /// Excludes other processes that bind, replace or prepare sockets in the directory; the end of a process
  /// releases the lock. Waits 1 s at most: any process that may read the directory can hold its lock.
  /// \return whether we have it
  bool lock() noexcept;
  void unlock() noexcept;

  /// Prepares an unbound socket: if access is given, no process can connect to its file until `finish()`.
  static int prepare(NativeSocket socket, const FileAccess& access) noexcept;
  /// Inspects the file that has the name. \return 0, ENOENT, EEXIST if it is not a socket, or what fstatat(2)
  /// gives.
  int look() noexcept;
  /// Whether the file that was looked at is prepared and not finished, by a process of the same user.
  [[nodiscard]] bool is_unfinished() const noexcept { return unfinished_; }
  /// To be called after bind(2) of a prepared socket: claims the file. EADDRINUSE when the file is not there
  /// any more.
  int claim(const FileAccess& access) noexcept;
  /// Gives the claimed file its group and permission bits.
  int finish(const FileAccess& access) noexcept;
  /// Removes the file that was looked at last or claimed, as long as it still has the name; another file that
  /// has the name is left, or put back. \return 0, ENOENT, EADDRINUSE or an errno value; EPERM in a forked
  /// child, whose parent has the socket too
  int remove() noexcept;

 private:
  UniqueFd directory_;
  UniqueFd claimed_;
  int process_ = 0;               // of the process that opened it
  std::array<char, 112> name_{};  // longer than sun_path
  FileIdentity identity_;
  bool unfinished_ = false;
  bool locked_ = false;
};

}  // namespace tsock::inline v0::os
