#include "uv/epoll_watch_set.hpp"

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

int fd_of(const FdWatch& watch) noexcept { return static_cast<int>(watch.descriptor()); }

}  // namespace

EpollWatchSet::~EpollWatchSet() = default;

int EpollWatchSet::add_libuv() noexcept {
  return os::epoll_add(set_, uv_backend_fd(loop_->uv()), os::readable, this);
}

int EpollWatchSet::put_under_libuv() noexcept {
  std::unique_ptr<uv_poll_t> poll(new (std::nothrow) uv_poll_t);
  if (poll == nullptr) return ENOMEM;
  // Neither may watch the other while that one watches it.
  os::epoll_remove(set_, uv_backend_fd(loop_->uv()));
  if (const int status = uv_poll_init(loop_->uv(), poll.get(), set_.get()); status != 0) {
    add_libuv();
    return errno_of(status);
  }
  poll->data = loop_;
  uv_unref(reinterpret_cast<uv_handle_t*>(poll.get()));
  uv_poll_start(poll.get(), UV_READABLE, [](uv_poll_t* handle, int /*status*/, int /*events*/) {
    auto& set = static_cast<EpollWatchSet&>(static_cast<LoopImpl*>(handle->data)->watches());
    for (unsigned call = 0; call < calls_per_event; ++call) {
      set.take_events(0);
      if (!set.is_full_) return;
    }
  });
  poll_ = std::move(poll);
  return 0;
}

int EpollWatchSet::add(FdWatch& watch, os::FdEvents& interests) noexcept {
  const int descriptor = fd_of(watch);
  if (descriptor < 0) return EBADF;
  const auto place = static_cast<std::size_t>(descriptor);
  if (place >= watches_.size()) {
    try {
      watches_.resize(std::max(place + 1, 2 * watches_.size()));
    } catch (const std::bad_alloc&) {
      return ENOMEM;
    }
  }
  if (watches_[place] != nullptr) return EEXIST;
  if (const int err = os::epoll_add(set_, descriptor, interests, &watch); err != 0) return err;
  watches_[place] = &watch;
  return 0;
}

void EpollWatchSet::change(FdWatch& watch, os::FdEvents interests) noexcept {
  if (set_ && os::epoll_change(set_, fd_of(watch), interests, &watch) != 0)
    loop_->log_warning("a descriptor was closed by others while it is watched");
}

void EpollWatchSet::hand_over(FdWatch& from, FdWatch& to, os::FdEvents& interests) noexcept {
  forget_events(from);
  watches_[static_cast<std::size_t>(fd_of(to))] = &to;
  change(to, interests);
}

void EpollWatchSet::remove(FdWatch& watch) noexcept {
  forget_events(watch);
  os::epoll_remove(set_, fd_of(watch));
  watches_[static_cast<std::size_t>(fd_of(watch))] = nullptr;
}

void EpollWatchSet::forget_events(const FdWatch& watch) noexcept {
  for (os::EpollEvent& event : waiting_) {
    if (event.watch == &watch) event.watch = nullptr;
  }
}

std::size_t EpollWatchSet::wait(int timeout) noexcept {
  int taken = os::epoll_take(set_, events_, timeout);
  if (taken < 0) [[unlikely]]
    taken = wait_after_signal(timeout);
  uv_update_time(loop_->uv());
  const auto count = static_cast<std::size_t>(taken);
  is_full_ = count == events_.size();
  waiting_ = std::span(events_).first(count);
  return count;
}

// A signal that the loop was asked for comes as an event. Others are no reason for a turn: those for handlers
// of the application, and the one with which Linux ends the io_uring of a loop that newer libuv has closed, a
// while after that.
int EpollWatchSet::wait_after_signal(int timeout) noexcept {
  uv_loop_t* const uv = loop_->uv();
  const std::uint64_t begin = uv_now(uv);
  int left = timeout;
  int taken = -1;
  while (taken < 0 && left != 0) {
    uv_update_time(uv);
    const std::uint64_t past = uv_now(uv) - begin;
    if (timeout > 0) left = past < static_cast<std::uint64_t>(timeout) ? timeout - static_cast<int>(past) : 0;
    taken = os::epoll_take(set_, events_, left);
  }
  return std::max(taken, 0);
}

// Whoever is told may destroy any watch, and the Loop.
bool EpollWatchSet::tell_events() noexcept {
  bool libuv_is_ready = false;
  while (!waiting_.empty()) {
    const os::EpollEvent event = waiting_.front();
    waiting_ = waiting_.subspan(1);
    if (event.watch == this) {
      libuv_is_ready = true;
    } else if (event.watch != nullptr) {
      static_cast<FdWatch*>(event.watch)->tell(event.events);
    }
  }
  return libuv_is_ready;
}

// The old set is the parent's, which goes on with it.
int EpollWatchSet::after_fork_in_child() noexcept {
  int err = 0;
  UniqueFd set = os::open_epoll(err);
  if (err != 0) return err;
  waiting_ = {};
  const bool was_under_libuv = poll_ != nullptr;
  if (was_under_libuv)
    uv_close(reinterpret_cast<uv_handle_t*>(poll_.release()),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
  set_ = std::move(set);
  err = was_under_libuv ? put_under_libuv() : add_libuv();
  for (FdWatch* const watch : watches_) {
    if (watch == nullptr) continue;
    const int failed = os::epoll_add(set_, fd_of(*watch), watch->system_interests(), watch);
    if (err == 0) err = failed;
  }
  return err;
}

unsigned EpollWatchSet::close(uv_close_cb closed) noexcept {
  set_.reset();
  if (poll_ == nullptr) return 0;
  uv_close(reinterpret_cast<uv_handle_t*>(poll_.get()), closed);
  return 1;
}

}  // namespace tsock::inline v0::detail
