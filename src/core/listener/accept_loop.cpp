#include <cerrno>
#include <new>
#include <tsock/listener.hpp>
#include <utility>

#include "core/listener/listener_core.hpp"

namespace tsock::inline v0 {

namespace detail {

AcceptLoop::AcceptLoop(Listener& listener, const AcceptOptions& options, CallSite site)
    : listener_(listener.core() != nullptr ? listener.core()->handle()
                                           : std::make_shared<ListenerCore*>(nullptr)),
      most_(options.most),
      site_(site) {}

void AcceptLoop::accept_next() {
  ListenerCore* const listener = *listener_;
  if (listener == nullptr || !listener->is_usable()) return;
  if (stopped_ || paused_ || accepting_ != nullptr || connections_ >= most_) return;
  auto* const state = make_state<AcceptState>(listener->core(), site_);
  Request<Stream> request(state);
  listener->start_accept(*state);
  std::move(request).detach(
      [self = shared_from_this()](Request<Stream>& accepted) { self->on_accepted(accepted); });
  accepting_ = state;
}

void AcceptLoop::on_accepted(Request<Stream>& accepted) {
  const std::shared_ptr<AcceptLoop> self = shared_from_this();
  int err = 0;
  Stream stream = accepted.recv(err);
  accepting_ = nullptr;
  // With the listener gone, what the function captured may be gone as well: close the connection.
  if (*listener_ == nullptr) {
    if (err == 0) std::move(stream).disconnect().detach();
    return;
  }
  if (err == ECANCELED) {
    accept_next();  // paused, and resumed since
  } else if (err != 0) {
    fail(err);
  } else if (paused_ || stopped_) {
    (*listener_)->give_back(std::move(stream));
  } else {
    ++connections_;
    AcceptSlot slot(self);
    accept_next();
    take(std::move(stream), std::move(slot));
  }
}

void AcceptLoop::release_slot() noexcept {
  --connections_;
  try {
    accept_next();
  } catch (const std::bad_alloc&) {
    // The next slot that is released tries again.
  }
}

void AcceptLoop::pause() noexcept {
  paused_ = true;
  cancel_accept();
}

void AcceptLoop::resume() {
  paused_ = false;
  accept_next();
}

void AcceptLoop::stop() noexcept {
  stopped_ = true;
  cancel_accept();
}

// Does not cancel an accept that already has a connection; `on_accepted()` gives the connection back.
void AcceptLoop::cancel_accept() noexcept {
  if (accepting_ != nullptr && *listener_ != nullptr) (*listener_)->cancel_accept(*accepting_);
}

}  // namespace detail

AcceptSlot& AcceptSlot::operator=(AcceptSlot&& other) noexcept {
  if (this != &other) {
    release();
    loop_ = std::move(other.loop_);
  }
  return *this;
}

void AcceptSlot::release() noexcept {
  if (const std::shared_ptr<detail::AcceptLoop> loop = std::move(loop_); loop != nullptr)
    loop->release_slot();
}

void Accepting::pause() noexcept {
  if (loop_ != nullptr) loop_->pause();
}

void Accepting::resume() {
  if (loop_ != nullptr) loop_->resume();
}

void Accepting::stop() noexcept {
  if (loop_ != nullptr) loop_->stop();
}

bool Accepting::is_paused() const noexcept { return loop_ != nullptr && loop_->is_paused(); }

std::size_t Accepting::connections() const noexcept { return loop_ != nullptr ? loop_->connections() : 0; }

}  // namespace tsock::inline v0
