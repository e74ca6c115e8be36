#include "uv/poll_watch_set.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <new>
#include <utility>

#include "uv/fd_watcher.hpp"
#include "uv/loop_impl.hpp"
#include "uv/uv_call.hpp"

namespace tsock::inline v0::detail {

namespace {

int mask_of(os::FdEvents interests) noexcept {
  return static_cast<int>(((interests & os::readable) != 0 ? unsigned{UV_READABLE} : 0U) |
                          ((interests & os::writable) != 0 ? unsigned{UV_WRITABLE} : 0U) |
                          ((interests & os::hang_up) != 0 ? unsigned{UV_DISCONNECT} : 0U));
}

// With a status, libuv has stopped the handle: an error is pending on the descriptor.
os::FdEvents events_of(int status, int events) noexcept {
  if (status != 0) return os::failed;
  const auto told = static_cast<unsigned>(events);
  return static_cast<os::FdEvents>(((told & UV_READABLE) != 0 ? os::readable : 0U) |
                                   ((told & UV_WRITABLE) != 0 ? os::writable : 0U) |
                                   ((told & UV_DISCONNECT) != 0 ? os::hang_up : 0U));
}

}  // namespace

uv_poll_t*& PollWatchSet::handle_of(const FdWatch& watch) noexcept {
  return handles_[static_cast<std::size_t>(watch.descriptor())];
}

// libuv knows only descriptors with an armed handle, so whether one is here already is looked up.
int PollWatchSet::add(FdWatch& watch, os::FdEvents& interests) noexcept {
  if (static_cast<std::intptr_t>(watch.descriptor()) < 0) return EBADF;
  uv_poll_t* poll = nullptr;
  try {
    if (const auto place = static_cast<std::size_t>(watch.descriptor()); place >= handles_.size())
      handles_.resize(std::max(place + 1, 2 * handles_.size()));
    if (handle_of(watch) != nullptr) return EEXIST;
    poll = make_pooled<uv_poll_t>(*loop_);
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
  // On POSIX this function takes descriptors of any kind.
  if (const int status = uv_poll_init_socket(loop_->uv(), poll, watch.descriptor()); status != 0) {
    loop_->deallocate(poll, sizeof(uv_poll_t));
    return errno_of(status);
  }
  poll->data = &watch;
  uv_unref(reinterpret_cast<uv_handle_t*>(poll));
  handle_of(watch) = poll;
  interests = 0;
  return 0;
}

// Neither call can fail: the handle is not closing and the mask is a known one.
void PollWatchSet::change(FdWatch& watch, os::FdEvents interests) noexcept {
  uv_poll_t* const poll = handle_of(watch);
  if (interests == 0) {
    uv_poll_stop(poll);
    return;
  }
  uv_poll_start(poll, mask_of(interests), [](uv_poll_t* handle, int status, int events) {
    static_cast<FdWatch*>(handle->data)->tell(events_of(status, events));
  });
}

void PollWatchSet::hand_over(FdWatch& /*from*/, FdWatch& to, os::FdEvents& interests) noexcept {
  uv_poll_t* const poll = handle_of(to);
  uv_poll_stop(poll);
  poll->data = &to;
  interests = 0;
}

void PollWatchSet::remove(FdWatch& watch) noexcept {
  uv_poll_t* const poll = std::exchange(handle_of(watch), nullptr);
  poll->data = loop_;
  uv_close(reinterpret_cast<uv_handle_t*>(poll), [](uv_handle_t* closed) {
    auto* const loop = static_cast<LoopImpl*>(closed->data);
    loop->deallocate(closed, sizeof(uv_poll_t));
  });
}

}  // namespace tsock::inline v0::detail
