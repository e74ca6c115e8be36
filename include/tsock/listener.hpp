#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <tsock/address.hpp>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>
#include <tsock/listener_backend.hpp>
#include <tsock/listener_options.hpp>
#include <tsock/native_socket.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>
#include <tsock/unique_socket.hpp>
#include <type_traits>
#include <utility>

namespace tsock {

class Loop;

class Listener;

namespace detail {
class AcceptLoop;
class ListenerCore;
class LoopCore;

/// Says in the log that a listener accepts no more.
class LogAcceptError {
 public:
  TSOCK_EXPORT explicit LogAcceptError(const Listener& listener);
  TSOCK_EXPORT void operator()(int err) const;

 private:
  LoopCore* core_;
};
}  // namespace detail

/// Waits for connections: TCP or unix streams, or a backend of one's own. Pull-based: one request, one
/// connection; what nobody asks for waits in the kernel's backlog.
///
/// When the process or the system is out of descriptors, memory or watches (EMFILE, ENFILE, ENOBUFS, ENOMEM,
/// ENOSPC), the listener pauses for 100 ms at a time, reports it, and goes on: the waiting connections stay
/// in the backlog, and one that was taken already is kept for the next try. An error that concerns one
/// connection (accept(2) lists them) does not end accepting: the next connection's turn comes, and after very
/// many in a row the listener pauses, too. The log has one line a second about this at most.
///
/// Of those who open the same unix path at the same time one gets it, and the others EADDRINUSE. The
/// directory is locked meanwhile (flock(2)), where it can be read. The listener keeps it open, so that
/// `unlink_on_close` works in another working directory.
class TSOCK_EXPORT Listener {
 public:
  /// No listener: `accept()` gives an empty request.
  Listener() noexcept = default;
  /// For implementers: puts a front on a backend. Without memory it throws std::bad_alloc and leaves the
  /// backend to the caller.
  Listener(Loop& loop, std::unique_ptr<ListenerBackend>&& backend, const StreamOptions& accepted = {});
  Listener(Listener&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  Listener& operator=(Listener&& other) noexcept;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  /// Stops listening; an accept in progress completes with ECANCELED on the next turn.
  ~Listener();

  /// Listens on an ipv4, ipv6 or unix address. Port 0 takes a free port; `local_address()` tells which.
  /// On failure the Listener is empty and `err` tells why: EINVAL for an address or option that does not fit,
  /// EADDRINUSE, EACCES and what else socket(2), bind(2), listen(2), chmod(2) and chown(2) give; ENOMEM.
  static Listener listen(Loop& loop, const Address& address, const ListenerOptions& options, int& err);
  /// `listen()` for inet addresses only (EINVAL otherwise).
  static Listener tcp(Loop& loop, const Address& address, const ListenerOptions& options, int& err);
  /// `listen()` for unix addresses only (EINVAL otherwise): a path or an abstract name.
  static Listener unix_stream(Loop& loop, const Address& address, const ListenerOptions& options, int& err);
  /// Takes over a listening stream socket, as from socket activation. Errors: EBADF, ENOTSOCK, EPROTOTYPE,
  /// EINVAL when it does not listen, EEXIST when the loop watches it already, ENOMEM. On failure the
  /// socket stays in `socket`.
  static Listener adopt(Loop& loop, UniqueSocket& socket, const StreamOptions& accepted, int& err);

  explicit operator bool() const noexcept { return core_ != nullptr; }
  /// The address that is really bound.
  [[nodiscard]] Address local_address() const;
  /// The listening socket, still owned by the listener; `invalid_socket` when there is none.
  [[nodiscard]] NativeSocket native_handle() const noexcept;
  /// The listener's loop. A default constructed listener, or one that was moved from, has none: it throws
  /// std::logic_error.
  [[nodiscard]] Loop& loop() const;

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
  friend class detail::AcceptLoop;
  friend class detail::LogAcceptError;
  detail::ListenerCore* core_ = nullptr;
};

/// How `for_each_accept()` accepts.
struct AcceptOptions {
  /// Connections at a time. While so many have their slots, further ones wait in the backlog; 0 takes none.
  std::size_t most = std::numeric_limits<std::size_t>::max();
};

/// The place of one connection among `AcceptOptions::most`; to be kept for as long as the connection counts,
/// beside its stream as a rule. May outlive listener and loop.
class TSOCK_EXPORT AcceptSlot {
 public:
  AcceptSlot() noexcept = default;
  AcceptSlot(AcceptSlot&&) noexcept = default;
  AcceptSlot& operator=(AcceptSlot&& other) noexcept;
  AcceptSlot(const AcceptSlot&) = delete;
  AcceptSlot& operator=(const AcceptSlot&) = delete;
  /// Makes room for another connection.
  ~AcceptSlot() { release(); }
  void release() noexcept;
  explicit operator bool() const noexcept { return loop_ != nullptr; }

 private:
  friend class detail::AcceptLoop;
  explicit AcceptSlot(std::shared_ptr<detail::AcceptLoop> loop) noexcept : loop_(std::move(loop)) {}
  std::shared_ptr<detail::AcceptLoop> loop_;
};

/// Pauses, resumes and stops a `for_each_accept()`. It goes on when this is destroyed, but one that is paused
/// then ends. May outlive the listener, and does nothing from then on.
class TSOCK_EXPORT Accepting {
 public:
  Accepting() noexcept = default;
  /// For implementers.
  explicit Accepting(std::shared_ptr<detail::AcceptLoop> loop) noexcept : loop_(std::move(loop)) {}

  /// The function is not called until `resume()`. Connections wait in the backlog; none is lost.
  void pause() noexcept;
  void resume();
  /// The function is not called any more, and the listener is free for another accept in the next turn.
  void stop() noexcept;
  [[nodiscard]] bool is_paused() const noexcept;
  /// Slots that are held.
  [[nodiscard]] std::size_t connections() const noexcept;

 private:
  std::shared_ptr<detail::AcceptLoop> loop_;
};

namespace detail {

class AcceptState;

/// Accepts again before it hands a stream out: the function may destroy the listener.
class AcceptLoop : public std::enable_shared_from_this<AcceptLoop> {
 public:
  TSOCK_EXPORT AcceptLoop(Listener& listener, const AcceptOptions& options, CallSite site);
  AcceptLoop(const AcceptLoop&) = delete;
  AcceptLoop& operator=(const AcceptLoop&) = delete;
  virtual ~AcceptLoop() = default;

  /// Accepts, unless it does so already or must not.
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

}  // namespace detail

/// Accepts until the listener is destroyed and calls `function(Stream)` for each connection, from the loop.
/// The function may destroy the listener. `on_error(int err)` is called when accepting ended with another
/// error than that; a pause, and what concerns one connection only, is none. Of an empty listener nothing
/// comes. What it returns may be dropped.
template <class F, class E>
requires std::is_invocable_v<E&, int> Accepting for_each_accept(Listener& listener, F function, E on_error,
                                                                CallSite site = CallSite::current()) {
  static_assert(std::is_invocable_v<F&, Stream>, "the function takes a tsock::Stream");
  return detail::start_accepting(listener, {}, std::move(function), std::move(on_error), site);
}

/// As above; the end of accepting is logged only.
template <class F>
Accepting for_each_accept(Listener& listener, F function, CallSite site = CallSite::current()) {
  return for_each_accept(listener, std::move(function), detail::LogAcceptError(listener), site);
}

/// As above, with a limit: `function(Stream, AcceptSlot)` keeps the slot for as long as the connection
/// counts.
template <class F, class E>
requires std::is_invocable_v<E&, int> Accepting for_each_accept(Listener& listener,
                                                                const AcceptOptions& options, F function,
                                                                E on_error,
                                                                CallSite site = CallSite::current()) {
  static_assert(std::is_invocable_v<F&, Stream, AcceptSlot>,
                "the function takes a tsock::Stream and a tsock::AcceptSlot, which it keeps");
  return detail::start_accepting(listener, options, std::move(function), std::move(on_error), site);
}

/// As above; the end of accepting is logged only.
template <class F>
Accepting for_each_accept(Listener& listener, const AcceptOptions& options, F function,
                          CallSite site = CallSite::current()) {
  return for_each_accept(listener, options, std::move(function), detail::LogAcceptError(listener), site);
}

}  // namespace tsock
