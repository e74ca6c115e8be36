#include <cerrno>
#include <memory>
#include <new>
#include <tsock/loop.hpp>
#include <tsock/socket_control.hpp>
#include <tsock/stream.hpp>
#include <utility>

#include "core/stream/begin_operation.hpp"
#include "core/stream/stream_control.hpp"
#include "core/stream/stream_core.hpp"
#include "core/stream/watermark_watch.hpp"

namespace tsock::inline v0 {

Stream::Stream(Loop& loop, std::unique_ptr<StreamBackend>&& backend, const StreamOptions& options)
    : place_(
          *detail::make_pooled<detail::StreamCore>(loop.core(), loop.core(), std::move(backend), options)) {}

Stream::Stream(Stream&& other) noexcept : place_(other.place_.take()) {}

Stream& Stream::operator=(Stream&& other) noexcept {
  if (this != &other) {
    auto* const old = std::exchange(place_, other.place_.take()).engine();
    if (old != nullptr) old->release_stream();
  }
  return *this;
}

Stream::~Stream() {
  if (core() != nullptr) core()->release_stream();
}

Loop* Stream::loop_or_null() const noexcept { return place_.loop(); }

bool Stream::is_open() const noexcept { return core() != nullptr && core()->is_open(); }

std::vector<UniqueFd> Stream::take_received_fds() {
  SocketControl* const control = is_open() ? core()->backend()->socket_control() : nullptr;
  std::vector<UniqueFd> taken;
  if (control != nullptr && control->take_received_fds(core()->unread_size(), taken) != 0)
    throw std::bad_alloc();
  return taken;
}

std::size_t Stream::pending_bytes(int& err) {
  if (core() != nullptr) return core()->pending_bytes(err);
  err = ENOTCONN;
  return 0;
}

Request<void> Stream::disconnect(const DisconnectOptions& options, CallSite site) & {
  auto* const state = detail::make_operation<detail::StreamDisconnect>(place_, options, site);
  if (state == nullptr) return {};
  Request<void> request(state);
  if (core() != nullptr) {
    core()->start_disconnect(*state);
  } else {
    state->finish(ENOTCONN);
  }
  return request;
}

Request<void> Stream::disconnect(const DisconnectOptions& options, CallSite site) && {
  return std::move(*this).disconnect(Queue(), options, site);
}

Request<void> Stream::monitor(CallSite site) {
  auto* const state =
      detail::make_operation<detail::StreamControl>(place_, detail::StreamControl::Kind::monitor, site);
  if (state == nullptr) return {};
  Request<void> request(state);
  if (core() != nullptr) {
    core()->start_monitor(*state);
  } else {
    state->finish(ENOTCONN);
  }
  return request;
}

Request<void> Stream::shutdown_write(CallSite site) {
  auto* const state = detail::make_operation<detail::StreamControl>(
      place_, detail::StreamControl::Kind::shutdown_write, site);
  if (state == nullptr) return {};
  Request<void> request(state);
  if (core() != nullptr) {
    core()->start_shutdown(*state);
  } else {
    state->finish(ENOTCONN);
  }
  return request;
}

Request<void> Stream::shutdown_write(Queue& queue, CallSite site) {
  auto* const state = detail::make_operation<detail::StreamControl>(
      place_, detail::StreamControl::Kind::shutdown_write, site);
  if (state == nullptr) return {};
  Request<void> request(state);
  int err = detail::check_queue(queue.core(), state->core());
  if (err == 0 && core() == nullptr) err = ENOTCONN;
  if (err != 0) {
    state->finish(err);
  } else {
    queue.core()->enter(*state, *core());
  }
  return request;
}

void Stream::abort() noexcept {
  if (core() != nullptr) core()->abort();
}

std::size_t Stream::queued_bytes() const noexcept { return core() != nullptr ? core()->queued_bytes() : 0; }

void Stream::set_watermarks(const WriteWatermarks& marks, WatermarkFunction function) {
  if (core() == nullptr) return;
  core()->set_watermark_watch(
      std::make_unique<detail::WatermarkWatch>(core()->core(), marks, std::move(function)));
}

int Stream::set_options(const StreamOptions& options) {
  if (!is_open()) return ENOTCONN;
  const int err = core()->backend()->apply(options);
  core()->set_behaviour(options);
  return err;
}

Address Stream::local_address() const { return is_open() ? core()->backend()->local_address() : Address(); }

Address Stream::remote_address() const { return is_open() ? core()->backend()->remote_address() : Address(); }

PeerCredentials Stream::peer_credentials(int& err) const {
  PeerCredentials credentials;
  if (!is_open()) {
    err = ENOTCONN;
    return credentials;
  }
  const SocketControl* const control = core()->backend()->socket_control();
  err = control != nullptr ? control->peer_credentials(credentials) : ENOTSUP;
  return credentials;
}

TcpInfo Stream::tcp_info(int& err) const {
  TcpInfo info;
  err = is_open() ? core()->backend()->tcp_info(info) : ENOTCONN;
  return info;
}

NativeSocket Stream::native_handle() const noexcept {
  if (!is_open()) return invalid_socket;
  const SocketControl* const control = core()->backend()->socket_control();
  return control != nullptr ? control->native_handle() : invalid_socket;
}

UniqueSocket Stream::release_socket(std::vector<std::byte>& unread, int& err) {
  err = core() != nullptr ? core()->check_idle() : ENOTCONN;
  SocketControl* const control = is_open() ? core()->backend()->socket_control() : nullptr;
  if (is_open() && control == nullptr) err = ENOTSUP;
  if (err != 0 || control == nullptr) return {};
  const auto bytes = core()->unread_bytes();
  const auto behind = control->kept_bytes();
  unread.assign(bytes.begin(), bytes.end());
  unread.insert(unread.end(), behind.begin(), behind.end());
  UniqueSocket socket = control->release_socket();
  core()->detach_backend();
  core()->tell_release();
  return socket;
}

}  // namespace tsock::inline v0
