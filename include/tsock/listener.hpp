#pragma once

#include <cerrno>
#include <functional>
#include <memory>
#include <tsock/address.hpp>
#include <tsock/call_site.hpp>
#include <tsock/listener_backend.hpp>
#include <tsock/listener_options.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>
#include <tsock/unique_fd.hpp>
#include <type_traits>
#include <utility>

namespace tsock {

class Loop;

class Listener;

namespace detail {
class ListenerCore;
class LoopCore;
/// The next accept on the listener of one that has just completed; empty when the listener is gone.
Request<Stream> accept_again(const Request<Stream>& previous, CallSite site);

/// Says in the log that a listener accepts no more.
class LogAcceptError {
 public:
  explicit LogAcceptError(const Listener& listener);
  void operator()(int err) const;

 private:
  LoopCore* core_;
};
}  // namespace detail

/// Waits for connections: TCP or unix streams, or a backend of one's own. Pull-based: one request, one
/// connection; what nobody asks for waits in the kernel's backlog.
///
/// When the process or the system is out of descriptors, memory or watches (EMFILE, ENFILE, ENOBUFS, ENOMEM,
/// ENOSPC), the listener pauses for 100 ms at a time, reports it, and goes on: the waiting connections stay
/// in the backlog, and one that was taken already is kept for the next try.
class Listener {
 public:
  /// No listener: `accept()` gives an empty request.
  Listener() noexcept = default;
  /// For implementers: puts a front on a backend.
  Listener(Loop& loop, std::unique_ptr<ListenerBackend> backend, const StreamOptions& accepted = {});
  Listener(Listener&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  Listener& operator=(Listener&& other) noexcept;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  /// Stops listening; an accept in progress completes with ECANCELED on the next turn.
  ~Listener();

  /// Listens on an ipv4, ipv6 or unix address. Port 0 takes a free port; `local_address()` tells which.
  /// On failure the Listener is empty and `err` tells why: EINVAL for an address or option that does not fit,
  /// EADDRINUSE, EACCES and what else socket(2), bind(2), listen(2), chmod(2) and chown(2) give.
  static Listener listen(Loop& loop, const Address& address, const ListenerOptions& options, int& err);
  /// `listen()` for inet addresses only (EINVAL otherwise).
  static Listener tcp(Loop& loop, const Address& address, const ListenerOptions& options, int& err);
  /// `listen()` for unix addresses only (EINVAL otherwise): a path or an abstract name.
  static Listener unix_stream(Loop& loop, const Address& address, const ListenerOptions& options, int& err);
  /// Takes over a listening stream socket, as from socket activation. Errors: EBADF, ENOTSOCK, EPROTOTYPE,
  /// EINVAL when it does not listen. On failure the descriptor stays in `fd`.
  static Listener adopt(Loop& loop, UniqueFd& fd, const StreamOptions& accepted, int& err);

  explicit operator bool() const noexcept { return core_ != nullptr; }
  /// The address that is really bound.
  [[nodiscard]] Address local_address() const;
  /// The listening socket, still owned by the listener; -1 when there is none.
  [[nodiscard]] int native_handle() const noexcept;
  [[nodiscard]] Loop& loop() const noexcept;

  /// Takes the next connection. \return a request for the Stream. Errors: EBUSY when an accept is in flight;
  /// what accept(2) gives for a broken listener. Cancelling and destroying lose no connection: one that was
  /// taken already is given to the next accept.
  Request<Stream> accept(CallSite site = CallSite::current());

  /// Called from the loop with the errno value each time the listener has to pause. Replaces an earlier
  /// function.
  void set_pause_callback(std::function<void(int err)> function);
  /// Whether the listener pauses now.
  [[nodiscard]] bool is_paused() const noexcept;

 private:
  detail::ListenerCore* core_ = nullptr;
};

namespace detail {

/// Accepts again before it hands a stream out: the function may destroy the listener.
template <class F, class E>
class AcceptLoop {
 public:
  AcceptLoop(F function, E on_error, CallSite site)
      : functions_(std::make_shared<std::pair<F, E>>(std::move(function), std::move(on_error))),
        site_(site) {}

  void operator()(Request<Stream>& accepted) {
    int err = 0;
    Stream stream = accepted.recv(err);
    const std::shared_ptr<std::pair<F, E>> functions = functions_;
    if (err == 0) {
      Request<Stream> next = accept_again(accepted, site_);
      // Without a listener, what the function captured may be gone as well: the connection is closed.
      if (!next) return;
      std::move(next).detach(*this);
      functions->first(std::move(stream));
    } else if (err != ECANCELED) {
      functions->second(err);
    }
  }

 private:
  std::shared_ptr<std::pair<F, E>> functions_;
  CallSite site_;
};

}  // namespace detail

/// Accepts until the listener is destroyed and calls `function(Stream)` for each connection, from the loop.
/// The function may destroy the listener. `on_error(int err)` is called when accepting ended with another
/// error than that; a pause for lack of descriptors is none.
template <class F, class E>
void for_each_accept(Listener& listener, F function, E on_error, CallSite site = CallSite::current()) {
  static_assert(std::is_invocable_v<F&, Stream>, "the function takes a tsock::Stream");
  listener.accept(site).detach(detail::AcceptLoop<F, E>(std::move(function), std::move(on_error), site));
}

/// As above; the end of accepting is logged only.
template <class F>
void for_each_accept(Listener& listener, F function, CallSite site = CallSite::current()) {
  for_each_accept(listener, std::move(function), detail::LogAcceptError(listener), site);
}

}  // namespace tsock
