#include "uv/fd_watcher.hpp"

#include <cerrno>
#include <new>
#include <utility>

#include "uv/os/socket.hpp"
#include "uv/uv_call.hpp"

namespace tsock::inline v0::detail {

int FdWatch::start_watching(NativeSocket descriptor) noexcept {
  if (loop_->is_closed()) return ECANCELED;
  loop_->notice_fork();
  // Claims the descriptor here: libuv knows only those with an armed watcher.
  if (const int err = loop_->claim_descriptor(descriptor); err != 0) return err;
  uv_poll_t* poll = nullptr;
  try {
    poll = make_pooled<uv_poll_t>(*loop_);
  } catch (const std::bad_alloc&) {
    loop_->release_descriptor(descriptor);
    return ENOMEM;
  }
  // On POSIX this function takes descriptors of any kind.
  if (const int status = uv_poll_init_socket(loop_->uv(), poll, descriptor); status != 0) {
    loop_->release_descriptor(descriptor);
    loop_->deallocate(poll, sizeof(uv_poll_t));
    return errno_of(status);
  }
  poll->data = this;
  uv_unref(reinterpret_cast<uv_handle_t*>(poll));
  poll_ = poll;
  return 0;
}

void FdWatch::take_over(FdWatch& other) noexcept {
  poll_ = std::exchange(other.poll_, nullptr);
  other.interests_ = 0;
  if (poll_ == nullptr) return;
  loop_->notice_fork();
  // The interests of the other watcher do not apply here.
  uv_poll_stop(poll_);
  poll_->data = this;
}

int FdWatch::mask_of(unsigned interests) noexcept {
  if (os::reset_is_readable && (interests & (hang_up | bytes_wait)) == hang_up) interests |= readable;
  return static_cast<int>(((interests & readable) != 0 ? unsigned{UV_READABLE} : 0U) |
                          ((interests & writable) != 0 ? unsigned{UV_WRITABLE} : 0U) |
                          ((interests & hang_up) != 0 ? unsigned{UV_DISCONNECT} : 0U));
}

bool FdWatch::is_break() const noexcept {
  return os::peek_error(socket_of(reinterpret_cast<const uv_handle_t*>(poll_))) != 0;
}

[[gnu::noinline]] Readiness FdWatch::arm(unsigned interests, uv_poll_cb callback) noexcept {
  if (poll_ == nullptr) return Readiness::later;
  loop_->notice_fork();
  if ((interests & readable) != 0) interests &= ~bytes_wait;
  interests_ = static_cast<std::uint8_t>((interests_ & all) | (interests << armed_shift));
  const int mask = mask_of(interests);
  // Neither call can fail: the handle is not closing and the mask is a known one.
  if (mask == 0) {
    uv_poll_stop(poll_);
  } else {
    uv_poll_start(poll_, mask, callback);
  }
  return Readiness::later;
}

bool FdWatch::take_event(int status, int events, uv_poll_cb callback, FdEvent& event) noexcept {
  if (status != 0) {
    // libuv has stopped the handle: an error is pending on the descriptor.
    interests_ = 0;
    event = {.readable = true, .writable = true, .hung_up = false, .failed = true};
    return true;
  }
  const auto told = static_cast<unsigned>(events);
  unsigned came = ((told & UV_READABLE) != 0 ? readable : 0U) | ((told & UV_WRITABLE) != 0 ? writable : 0U) |
                  ((told & UV_DISCONNECT) != 0 ? hang_up : 0U);
  if (const unsigned unwanted = came & ~unsigned{interests_}; unwanted != 0) {
    came &= ~unwanted;
    unsigned left = armed() & ~unwanted;
    if (os::reset_is_readable && (unwanted & readable) != 0) {
      const bool is_asked_for = (interests_ & hang_up) != 0;
      if (is_asked_for && !is_break()) {
        left |= bytes_wait;
      } else {
        left &= ~hang_up;  // which would make it readable again
        if (is_asked_for) came |= hang_up;
      }
    }
    arm(left, callback);
  }
  interests_ = static_cast<std::uint8_t>(interests_ & ~came);
  event = {.readable = (came & readable) != 0,
           .writable = (came & writable) != 0,
           .hung_up = (came & hang_up) != 0,
           .failed = false};
  return came != 0;
}

void FdWatch::stop_watching() noexcept {
  uv_poll_t* const poll = std::exchange(poll_, nullptr);
  if (poll == nullptr) return;
  loop_->notice_fork();
  interests_ = 0;
  loop_->release_descriptor(socket_of(reinterpret_cast<uv_handle_t*>(poll)));
  poll->data = loop_;
  uv_close(reinterpret_cast<uv_handle_t*>(poll), [](uv_handle_t* closed) {
    auto* const loop = static_cast<LoopImpl*>(closed->data);
    loop->deallocate(closed, sizeof(uv_poll_t));
  });
}

}  // namespace tsock::inline v0::detail
