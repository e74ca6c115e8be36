#pragma once

#include <cstddef>
#include <span>
#include <tsock/unique_fd.hpp>

#include "uv/os/fd_events.hpp"

/// epoll(7), on systems that have it. Functions return 0 or an errno value unless they say otherwise.
namespace tsock::inline v0::os {

/// Makes a set. ENOTSUP where the system has none; else EMFILE, ENFILE, ENOMEM.
UniqueFd open_epoll(int& err) noexcept;
/// Adds a descriptor, for as long as it is open or until it is removed; also without an interest. EEXIST,
/// EPERM for what cannot be polled, EBADF, ENOMEM, ENOSPC (the limit of the user, max_user_watches).
int epoll_add(const UniqueFd& set, int fd, FdEvents interests, void* watch) noexcept;
/// Takes no memory: fails only with a descriptor that is not in the set.
int epoll_change(const UniqueFd& set, int fd, FdEvents interests, void* watch) noexcept;
void epoll_remove(const UniqueFd& set, int fd) noexcept;

struct EpollEvent {
  void* watch;
  FdEvents events;
};
/// Waits for so many milliseconds at most, or with -1 for ever. `failed` comes alone; a descriptor whose
/// other end is closed may be told as all that can be asked for. \return the number of events, or -1 when a
/// signal has ended the wait
int epoll_take(const UniqueFd& set, std::span<EpollEvent> events, int timeout) noexcept;

}  // namespace tsock::inline v0::os
