#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "uv/os/epoll_set.hpp"

namespace tsock::inline v0::os {

namespace {

// Without an interest, the kernel still tells of errors and of a closed peer. Edge-triggered it tells that
// once, and not for as long as it lasts.
std::uint32_t mask_of(FdEvents interests) noexcept {
  if (interests == 0) return EPOLLET;
  return ((interests & readable) != 0 ? std::uint32_t{EPOLLIN} : 0U) |
         ((interests & writable) != 0 ? std::uint32_t{EPOLLOUT} : 0U) |
         ((interests & hang_up) != 0 ? std::uint32_t{EPOLLRDHUP} : 0U);
}

FdEvents events_of(std::uint32_t mask) noexcept {
  if ((mask & EPOLLERR) != 0) return failed;
  const auto events = static_cast<FdEvents>(((mask & EPOLLIN) != 0 ? readable : 0U) |
                                            ((mask & EPOLLOUT) != 0 ? writable : 0U) |
                                            ((mask & EPOLLRDHUP) != 0 ? hang_up : 0U));
  return events != 0 ? events : static_cast<FdEvents>(readable | writable | hang_up);  // EPOLLHUP
}

int control(const UniqueFd& set, int operation, int fd, FdEvents interests, void* watch) noexcept {
  epoll_event event{};
  event.events = mask_of(interests);
  event.data.ptr = watch;
  return ::epoll_ctl(set.get(), operation, fd, &event) == 0 ? 0 : errno;
}

}  // namespace

UniqueFd open_epoll(int& err) noexcept {
  UniqueFd set(::epoll_create1(EPOLL_CLOEXEC));
  err = set ? 0 : errno;
  return set;
}

int epoll_add(const UniqueFd& set, int fd, FdEvents interests, void* watch) noexcept {
  return control(set, EPOLL_CTL_ADD, fd, interests, watch);
}

int epoll_change(const UniqueFd& set, int fd, FdEvents interests, void* watch) noexcept {
  return control(set, EPOLL_CTL_MOD, fd, interests, watch);
}

void epoll_remove(const UniqueFd& set, int fd) noexcept { control(set, EPOLL_CTL_DEL, fd, 0, nullptr); }

int epoll_take(const UniqueFd& set, std::span<EpollEvent> events, int timeout) noexcept {
  std::array<epoll_event, 64> taken;
  const auto room = static_cast<int>(std::min(taken.size(), events.size()));
  const int count = ::epoll_wait(set.get(), taken.data(), room, timeout);
  for (int i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    events[at] = {.watch = taken[at].data.ptr, .events = events_of(taken[at].events)};
  }
  return count < 0 && errno != EINTR ? 0 : count;
}

}  // namespace tsock::inline v0::os
