#include <cerrno>

#include "uv/os/epoll_set.hpp"

namespace tsock::inline v0::os {

UniqueFd open_epoll(int& err) noexcept {
  err = ENOTSUP;
  return {};
}

int epoll_add(const UniqueFd& /*set*/, int /*fd*/, FdEvents /*interests*/, void* /*watch*/) noexcept {
  return ENOTSUP;
}

int epoll_change(const UniqueFd& /*set*/, int /*fd*/, FdEvents /*interests*/, void* /*watch*/) noexcept {
  return ENOTSUP;
}

void epoll_remove(const UniqueFd& /*set*/, int /*fd*/) noexcept {}

int epoll_take(const UniqueFd& /*set*/, std::span<EpollEvent> /*events*/, int /*timeout*/) noexcept {
  return 0;
}

}  // namespace tsock::inline v0::os
