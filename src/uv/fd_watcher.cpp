#include "uv/fd_watcher.hpp"

#include <uv.h>

#include <cerrno>
#include <new>
#include <utility>

#include "uv/loop_impl.hpp"

namespace tsock::detail {

int FdWatcher::start_watching(int fd) noexcept {
  uv_poll_t* poll = nullptr;
  try {
    poll = make_pooled<uv_poll_t>(*loop_);
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
  if (const int err = uv_poll_init(loop_->uv(), poll, fd); err != 0) {
    loop_->deallocate(poll, sizeof(uv_poll_t));
    return -err;
  }
  poll->data = this;
  uv_unref(reinterpret_cast<uv_handle_t*>(poll));
  poll_ = poll;
  return 0;
}

void FdWatcher::take_over(FdWatcher& other) noexcept {
  poll_ = std::exchange(other.poll_, nullptr);
  if (poll_ != nullptr) poll_->data = this;
  // What the other one asked for is its own affair.
  interests_ = static_cast<std::uint8_t>(std::exchange(other.interests_, std::uint8_t{0}) & ~all);
}

void FdWatcher::arm(unsigned interests) noexcept {
  if (poll_ == nullptr) return;
  interests_ = static_cast<std::uint8_t>((interests_ & all) | (interests << armed_shift));
  const int mask = static_cast<int>(((interests & readable) != 0 ? unsigned{UV_READABLE} : 0U) |
                                    ((interests & writable) != 0 ? unsigned{UV_WRITABLE} : 0U) |
                                    ((interests & hang_up) != 0 ? unsigned{UV_DISCONNECT} : 0U));
  // Neither can fail for a handle that is not closing and a mask that is known.
  if (mask == 0) {
    uv_poll_stop(poll_);
    return;
  }
  uv_poll_start(poll_, mask, &FdWatcher::on_poll);
}

void FdWatcher::on_poll(uv_poll_t* poll, int status, int events) noexcept {
  auto* const watcher = static_cast<FdWatcher*>(poll->data);
  LoopImpl& loop = *watcher->loop_;
  loop.enter();
  watcher->on_event(status, static_cast<unsigned>(events));
  // From here on code of the user runs; the watcher may be gone.
  loop.drain_event();
}

void FdWatcher::on_event(int status, unsigned events) {
  if (status != 0) {
    // libuv has stopped the handle: an error waits on the descriptor.
    interests_ = 0;
    on_fd_event({.readable = true, .writable = true, .hung_up = false, .failed = true});
    return;
  }
  unsigned came = ((events & UV_READABLE) != 0 ? readable : 0U) |
                  ((events & UV_WRITABLE) != 0 ? writable : 0U) |
                  ((events & UV_DISCONNECT) != 0 ? hang_up : 0U);
  if (const unsigned unwanted = came & ~unsigned{interests_}; unwanted != 0) {
    came &= ~unwanted;
    arm(armed() & ~unwanted);
  }
  interests_ = static_cast<std::uint8_t>(interests_ & ~came);
  if (came == 0) return;
  on_fd_event({.readable = (came & readable) != 0,
               .writable = (came & writable) != 0,
               .hung_up = (came & hang_up) != 0,
               .failed = false});
}

void FdWatcher::stop_watching() noexcept {
  uv_poll_t* const poll = std::exchange(poll_, nullptr);
  if (poll == nullptr) return;
  interests_ = 0;
  poll->data = loop_;
  uv_close(reinterpret_cast<uv_handle_t*>(poll), [](uv_handle_t* closed) {
    auto* const loop = static_cast<LoopImpl*>(closed->data);
    loop->deallocate(closed, sizeof(uv_poll_t));
  });
}

}  // namespace tsock::detail
