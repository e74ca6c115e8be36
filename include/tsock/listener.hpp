#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <tsock/address.hpp>
#include <tsock/call_site.hpp>
#include <tsock/detail/checked_loop.hpp>
#include <tsock/detail/engine_place.hpp>
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
class LogAcceptError;
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
  /// No listener, and no loop to complete on: `accept()` gives an empty Request. (A moved-from one gives
  /// ENOTCONN.)
  Listener() noexcept = default;
  /// For implementers: puts a front on a backend. Without memory it throws std::bad_alloc and leaves the
  /// backend to the caller.
  Listener(Loop& loop, std::unique_ptr<ListenerBackend>&& backend, const StreamOptions& accepted = {});
  Listener(Listener&& other) noexcept;
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

  /// Whether there is a listener, not moved from.
  explicit operator bool() const noexcept { return core() != nullptr; }
  /// The address that is really bound.
  [[nodiscard]] Address local_address() const;
  /// The listening socket, still owned by the listener; `invalid_socket` when there is none.
  [[nodiscard]] NativeSocket native_handle() const noexcept;
  /// The listener's loop, also of one that was moved from. A default constructed listener has none: it
  /// throws std::logic_error.
  [[nodiscard]] Loop& loop() const { return detail::checked_loop(loop_or_null()); }

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
  [[nodiscard]] detail::ListenerCore* core() const noexcept { return place_.engine(); }
  [[nodiscard]] Loop* loop_or_null() const noexcept;

  detail::EnginePlace<detail::ListenerCore> place_;
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

/// Accepts until the listener is destroyed and calls `function(Stream)` for each connection, from the loop.
/// The function may destroy the listener. `on_error(int err)` is called when accepting ended with another
/// error than that; a pause, and what concerns one connection only, is none. Of an empty listener nothing
/// comes. What it returns may be dropped.
template <class F, class E>
requires std::is_invocable_v<E&, int> Accepting for_each_accept(Listener& listener, F function, E on_error,
                                                                CallSite site = CallSite::current());

/// As above; the end of accepting is logged only.
template <class F>
Accepting for_each_accept(Listener& listener, F function, CallSite site = CallSite::current());

/// As above, with a limit: `function(Stream, AcceptSlot)` keeps the slot for as long as the connection
/// counts.
template <class F, class E>
requires std::is_invocable_v<E&, int> Accepting for_each_accept(Listener& listener,
                                                                const AcceptOptions& options, F function,
                                                                E on_error,
                                                                CallSite site = CallSite::current());

/// As above; the end of accepting is logged only.
template <class F>
Accepting for_each_accept(Listener& listener, const AcceptOptions& options, F function,
                          CallSite site = CallSite::current());

}  // namespace tsock

#include <tsock/detail/accept_loop.hpp>
