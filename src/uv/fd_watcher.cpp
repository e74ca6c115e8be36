#include "uv/fd_watcher.hpp"

#include <uv.h>

#include <cerrno>
#include <new>
#include <utility>

#include "uv/loop_impl.hpp"

namespace tsock::detail {

/// The libuv handle; it outlives the watcher until libuv has closed it.
struct FdWatcher::Handle {
  explicit Handle(LoopImpl& owner) noexcept : loop(&owner) {}
  static void on_poll(uv_poll_t* poll, int status, int events) noexcept;
  uv_poll_t poll{};
  LoopImpl* loop;
  FdWatcher* watcher = nullptr;
  FdEvents* events = nullptr;
};

int FdWatcher::open(int fd, FdEvents& events) {
  Handle* handle = nullptr;
  try {
    handle = make_pooled<Handle>(*loop_, *loop_);
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
  if (const int err = uv_poll_init(loop_->uv(), &handle->poll, fd); err != 0) {
    handle->~Handle();
    loop_->deallocate(handle, sizeof(Handle));
    return -err;
  }
  handle->poll.data = handle;
  handle->watcher = this;
  handle->events = &events;
  uv_unref(reinterpret_cast<uv_handle_t*>(&handle->poll));
  handle_ = handle;
  return 0;
}

void FdWatcher::set_events(FdEvents& events) noexcept {
  if (handle_ != nullptr) handle_->events = &events;
}

void FdWatcher::arm(unsigned interests) {
  if (handle_ == nullptr) return;
  armed_ = interests;
  const int mask = static_cast<int>(((interests & readable) != 0 ? unsigned{UV_READABLE} : 0U) |
                                    ((interests & writable) != 0 ? unsigned{UV_WRITABLE} : 0U) |
                                    ((interests & hang_up) != 0 ? unsigned{UV_DISCONNECT} : 0U));
  // Neither can fail for a handle that is not closing and a mask that is known.
  if (mask == 0) {
    uv_poll_stop(&handle_->poll);
    return;
  }
  uv_poll_start(&handle_->poll, mask, &Handle::on_poll);
}

void FdWatcher::Handle::on_poll(uv_poll_t* poll, int status, int events) noexcept {
  const auto* const handle = static_cast<Handle*>(poll->data);
  LoopImpl& loop = *handle->loop;
  loop.enter();
  handle->watcher->on_event(status, static_cast<unsigned>(events));
  // From here on code of the user runs; the watcher may be gone.
  loop.drain_event();
}

void FdWatcher::on_event(int status, unsigned events) {
  FdEvent event;
  if (status != 0) {
    // libuv has stopped the handle: an error waits on the descriptor.
    armed_ = 0;
    event = {.readable = true, .writable = true, .hung_up = false, .failed = true};
    wanted_ = 0;
    handle_->events->on_fd_event(event);
    return;
  }
  unsigned came = ((events & UV_READABLE) != 0 ? readable : 0U) |
                  ((events & UV_WRITABLE) != 0 ? writable : 0U) |
                  ((events & UV_DISCONNECT) != 0 ? hang_up : 0U);
  if (const unsigned unwanted = came & ~wanted_; unwanted != 0) {
    arm(armed_ & ~unwanted);
    came &= wanted_;
  }
  wanted_ &= ~came;
  event = {.readable = (came & readable) != 0,
           .writable = (came & writable) != 0,
           .hung_up = (came & hang_up) != 0,
           .failed = false};
  if (came != 0) handle_->events->on_fd_event(event);
}

void FdWatcher::close() noexcept {
  Handle* const handle = std::exchange(handle_, nullptr);
  if (handle == nullptr) return;
  wanted_ = armed_ = 0;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle->poll), [](uv_handle_t* closed) {
    auto* const ended = static_cast<Handle*>(closed->data);
    LoopImpl& loop = *ended->loop;
    ended->~Handle();
    loop.deallocate(ended, sizeof(Handle));
  });
}

}  // namespace tsock::detail
