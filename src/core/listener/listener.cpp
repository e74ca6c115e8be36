#include <cerrno>
#include <string>
#include <tsock/error.hpp>
#include <tsock/listener.hpp>
#include <tsock/loop.hpp>
#include <utility>

#include "core/listener/listener_core.hpp"
#include "core/loop/engine_place.hpp"

namespace tsock::inline v0 {

namespace detail {

LogAcceptError::LogAcceptError(const Listener& listener)
    : core_(listener.core() != nullptr ? &listener.core()->core() : nullptr) {}

void LogAcceptError::operator()(int err) const {
  if (core_ != nullptr) core_->log_warning(("accepting ended: " + error_text(err)).c_str());
}

}  // namespace detail

Listener::Listener(Loop& loop, std::unique_ptr<ListenerBackend>&& backend, const StreamOptions& accepted)
    : place_(*detail::make_pooled<detail::ListenerCore>(loop.core(), loop.core(), std::move(backend),
                                                        accepted)) {}

Listener::Listener(Listener&& other) noexcept : place_(other.place_.take()) {}

Listener& Listener::operator=(Listener&& other) noexcept {
  if (this != &other) {
    auto* const old = std::exchange(place_, other.place_.take()).engine();
    if (old != nullptr) old->release_listener();
  }
  return *this;
}

Listener::~Listener() {
  if (core() != nullptr) core()->release_listener();
}

Loop* Listener::loop_or_null() const noexcept { return place_.loop(); }

Address Listener::local_address() const {
  return core() != nullptr && core()->backend() != nullptr ? core()->backend()->local_address() : Address();
}

NativeSocket Listener::native_handle() const noexcept {
  return core() != nullptr && core()->backend() != nullptr ? core()->backend()->native_handle()
                                                           : invalid_socket;
}

Request<Stream> Listener::accept(CallSite site) {
  detail::LoopCore* const on = place_.loop_core();
  if (on == nullptr) return {};
  auto* const state = detail::make_state<detail::AcceptState>(*on, site);
  Request<Stream> request(state);
  if (core() != nullptr) {
    core()->start_accept(*state);
  } else {
    state->finish(ENOTCONN);
  }
  return request;
}

void Listener::set_pause_callback(std::function<void(int err)> function) {
  if (core() != nullptr) core()->set_pause_callback(std::move(function));
}

bool Listener::is_paused() const noexcept { return core() != nullptr && core()->is_paused(); }

}  // namespace tsock::inline v0
