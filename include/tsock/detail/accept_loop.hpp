#pragma once

#include <cstddef>
#include <memory>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/listener.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>
#include <type_traits>
#include <utility>

namespace tsock::inline v0::detail {

class AcceptState;
class ListenerCore;
class LoopCore;

/// Logs that a listener accepts no more.
class LogAcceptError {
 public:
  TSOCK_EXPORT explicit LogAcceptError(const Listener& listener);
  TSOCK_EXPORT void operator()(int err) const;

 private:
  LoopCore* core_;
};
class AcceptState;

/// Accepts again before it passes a stream on: the function may destroy the listener.
class AcceptLoop : public std::enable_shared_from_this<AcceptLoop> {
 public:
  TSOCK_EXPORT AcceptLoop(Listener& listener, const AcceptOptions& options, CallSite site);
  AcceptLoop(const AcceptLoop&) = delete;
  AcceptLoop& operator=(const AcceptLoop&) = delete;
  virtual ~AcceptLoop() = default;

  /// Starts an accept unless one is in flight or none is allowed.
  TSOCK_EXPORT void accept_next();
  void release_slot() noexcept;
  void pause() noexcept;
  void resume();
  void stop() noexcept;
  [[nodiscard]] bool is_paused() const noexcept { return paused_; }
  [[nodiscard]] std::size_t connections() const noexcept { return connections_; }

 private:
  virtual void take(Stream stream, AcceptSlot slot) = 0;
  virtual void fail(int err) = 0;
  void on_accepted(Request<Stream>& accepted);
  void cancel_accept() noexcept;

  std::shared_ptr<ListenerCore*> listener_;  // to null when the listener is gone
  const AcceptState* accepting_ = nullptr;   // to be compared only
  std::size_t most_;
  std::size_t connections_ = 0;
  CallSite site_;
  bool paused_ = false;
  bool stopped_ = false;
};

template <class F, class E>
class AcceptLoopOf final : public AcceptLoop {
 public:
  AcceptLoopOf(Listener& listener, const AcceptOptions& options, F function, E on_error, CallSite site)
      : AcceptLoop(listener, options, site), function_(std::move(function)), on_error_(std::move(on_error)) {}

 private:
  void take(Stream stream, AcceptSlot slot) override {
    if constexpr (std::is_invocable_v<F&, Stream, AcceptSlot>) {
      function_(std::move(stream), std::move(slot));
    } else {
      slot.release();
      function_(std::move(stream));
    }
  }
  void fail(int err) override { on_error_(err); }

  F function_;
  E on_error_;
};

template <class F, class E>
Accepting start_accepting(Listener& listener, const AcceptOptions& options, F function, E on_error,
                          CallSite site) {
  auto loop =
      std::make_shared<AcceptLoopOf<F, E>>(listener, options, std::move(function), std::move(on_error), site);
  loop->accept_next();
  return Accepting(std::move(loop));
}

}  // namespace tsock::inline v0::detail

namespace tsock::inline v0 {

template <class F, class E>
requires std::is_invocable_v<E&, int> Accepting for_each_accept(Listener& listener, F function, E on_error,
                                                                CallSite site) {
  static_assert(std::is_invocable_v<F&, Stream>,
                "tsock: for_each_accept(listener, function): the function takes a tsock::Stream");
  return detail::start_accepting(listener, {}, std::move(function), std::move(on_error), site);
}

template <class F>
Accepting for_each_accept(Listener& listener, F function, CallSite site) {
  return for_each_accept(listener, std::move(function), detail::LogAcceptError(listener), site);
}

template <class F, class E>
requires std::is_invocable_v<E&, int> Accepting for_each_accept(Listener& listener,
                                                                const AcceptOptions& options, F function,
                                                                E on_error, CallSite site) {
  static_assert(
      std::is_invocable_v<F&, Stream, AcceptSlot>,
      "tsock: for_each_accept(listener, options, function): the function takes a tsock::Stream and a "
      "tsock::AcceptSlot, which it keeps");
  return detail::start_accepting(listener, options, std::move(function), std::move(on_error), site);
}

template <class F>
Accepting for_each_accept(Listener& listener, const AcceptOptions& options, F function, CallSite site) {
  return for_each_accept(listener, options, std::move(function), detail::LogAcceptError(listener), site);
}

}  // namespace tsock::inline v0
