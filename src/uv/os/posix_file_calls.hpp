#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <tsock/unique_fd.hpp>

/// What SocketFile asks of the system for one name in a directory that a descriptor holds. Nothing follows a
/// symbolic link. Functions return 0 or an errno value unless they say otherwise.
namespace tsock::inline v0::os {

/// Opens a directory that the process may use and not read. \return none with errno
UniqueFd open_unreadable_directory(const char* path) noexcept;

/// Gives the status of a socket, and holds it by `fd`, so that the next two functions change that file,
/// whatever has its name by then. Where the system cannot hold a socket, `fd` stays empty, and they change
/// what has the name.
int hold_file(int directory, const char* name, UniqueFd& fd, struct stat& status) noexcept;
int set_group(int directory, const char* name, const UniqueFd& fd, gid_t group) noexcept;
int set_mode(int directory, const char* name, const UniqueFd& fd, mode_t mode) noexcept;

/// The umask of the process, found without a change that other threads would see; a careful one when it
/// cannot be.
mode_t creation_mask(int directory) noexcept;

/// Gives a file another name. \param aside a name that no file has. ENOSYS where that could replace a file
int move_aside(int directory, const char* name, const char* aside) noexcept;
/// Gives it its name back, unless another file has that by now.
void put_back(int directory, const char* aside, const char* name) noexcept;

/// A number that no other process uses.
std::uint64_t random_number() noexcept;

}  // namespace tsock::inline v0::os
