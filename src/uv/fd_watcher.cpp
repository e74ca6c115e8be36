#include "uv/fd_watcher.hpp"

#include <cerrno>
#include <utility>

#include "uv/os/socket.hpp"
#include "uv/watch_set.hpp"

namespace tsock::inline v0::detail {

int FdWatch::start_watching(NativeSocket descriptor, os::FdEvents first) noexcept {
  if (loop_->is_closed()) return ECANCELED;
  loop_->notice_fork();
  descriptor_ = descriptor;
  const int err = loop_->watches().add(*this, first);
  if (err == 0) {
    set_armed(first);
  } else {
    descriptor_ = invalid_socket;
  }
  return err;
}

void FdWatch::take_over(FdWatch& other, os::FdEvents first) noexcept {
  descriptor_ = std::exchange(other.descriptor_, invalid_socket);
  other.interests_ = 0;
  if (!is_watching()) return;
  loop_->notice_fork();
  loop_->watches().hand_over(other, *this, first);
  set_armed(first);
}

os::FdEvents FdWatch::system_interests(unsigned armed) noexcept {
  if (os::reset_is_readable && (armed & (os::hang_up | bytes_wait)) == os::hang_up) armed |= os::readable;
  return static_cast<os::FdEvents>(armed & all);
}

bool FdWatch::is_break() const noexcept { return os::peek_error(descriptor_) != 0; }

void FdWatch::set_armed(unsigned interests) noexcept {
  interests_ = static_cast<std::uint8_t>((interests_ & all) | (interests << armed_shift));
}

[[gnu::noinline]] Readiness FdWatch::arm(unsigned interests) noexcept {
  if (!is_watching()) return Readiness::later;
  loop_->notice_fork();
  if ((interests & os::readable) != 0) interests &= ~bytes_wait;
  set_armed(interests);
  loop_->watches().change(*this, system_interests());
  return Readiness::later;
}

bool FdWatch::take_events(os::FdEvents events, FdEvent& event) noexcept {
  if ((events & os::failed) != 0) {
    if (armed() == 0) return false;
    interests_ &= static_cast<std::uint8_t>(~all);
    arm(0);
    event = {.readable = true, .writable = true, .hung_up = false, .failed = true};
    return true;
  }
  unsigned came = events & system_interests();
  if (const unsigned unwanted = came & ~unsigned{interests_}; unwanted != 0) {
    came &= ~unwanted;
    unsigned left = armed() & ~unwanted;
    if (os::reset_is_readable && (unwanted & os::readable) != 0) {
      const bool is_asked_for = (interests_ & os::hang_up) != 0;
      if (is_asked_for && !is_break()) {
        left |= bytes_wait;
      } else {
        left &= ~unsigned{os::hang_up};  // which would make it readable again
        if (is_asked_for) came |= os::hang_up;
      }
    }
    arm(left);
  }
  interests_ = static_cast<std::uint8_t>(interests_ & ~came);
  event = {.readable = (came & os::readable) != 0,
           .writable = (came & os::writable) != 0,
           .hung_up = (came & os::hang_up) != 0,
           .failed = false};
  return came != 0;
}

void FdWatch::stop_watching() noexcept {
  if (!is_watching()) return;
  loop_->notice_fork();
  interests_ = 0;
  loop_->watches().remove(*this);
  descriptor_ = invalid_socket;
}

}  // namespace tsock::inline v0::detail
