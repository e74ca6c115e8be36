#include <string>
#include <tsock/detail/checked_loop.hpp>
#include <tsock/error.hpp>
#include <tsock/listener.hpp>
#include <tsock/loop.hpp>

#include "core/listener/listener_core.hpp"

namespace tsock {

namespace detail {

LogAcceptError::LogAcceptError(const Listener& listener)
    : core_(listener.core_ != nullptr ? &listener.core_->core() : nullptr) {}

void LogAcceptError::operator()(int err) const {
  if (core_ != nullptr) core_->log_warning(("accepting ended: " + error_text(err)).c_str());
}

}  // namespace detail

Listener::Listener(Loop& loop, std::unique_ptr<ListenerBackend>&& backend, const StreamOptions& accepted)
    : core_(detail::make_pooled<detail::ListenerCore>(loop.core(), loop.core(), std::move(backend),
                                                      accepted)) {}

Listener& Listener::operator=(Listener&& other) noexcept {
  if (this != &other) {
    auto* const old = std::exchange(core_, std::exchange(other.core_, nullptr));
    if (old != nullptr) old->release_listener();
  }
  return *this;
}

Listener::~Listener() {
  if (core_ != nullptr) core_->release_listener();
}

Address Listener::local_address() const {
  return core_ != nullptr && core_->backend() != nullptr ? core_->backend()->local_address() : Address();
}

NativeSocket Listener::native_handle() const noexcept {
  return core_ != nullptr && core_->backend() != nullptr ? core_->backend()->native_handle() : invalid_socket;
}

Loop& Listener::loop() const {
  return detail::checked_loop(core_ != nullptr ? &core_->core().loop() : nullptr);
}

Request<Stream> Listener::accept(CallSite site) {
  if (core_ == nullptr) return {};
  auto* const state = detail::make_state<detail::AcceptState>(core_->core(), site);
  Request<Stream> request(state);
  core_->start_accept(*state);
  return request;
}

void Listener::set_pause_callback(std::function<void(int err)> function) {
  if (core_ != nullptr) core_->set_pause_callback(std::move(function));
}

bool Listener::is_paused() const noexcept { return core_ != nullptr && core_->is_paused(); }

}  // namespace tsock
