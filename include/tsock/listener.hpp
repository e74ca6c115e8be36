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

namespace tsock::inline v0 {

class Loop;

class Listener;

namespace detail {
class AcceptLoop;
class ListenerCore;
class LogAcceptError;
}  // namespace detail

/// Waits for connections: TCP or unix streams, named pipes of Windows, or a user-defined backend. Pull-based:
/// one request accepts one connection; further connections wait in the kernel's backlog.
///
/// If the process or the system is out of descriptors, memory or watches (EMFILE, ENFILE, ENOBUFS, ENOMEM,
/// ENOSPC), the listener pauses for 100 ms at a time, reports it, and goes on: waiting connections stay in
/// the backlog, and one already taken is kept for the next try. An error of a single connection (accept(2)
/// lists them) does not end accepting: the next connection is tried, and after very many errors in a row the
/// listener pauses, too. It logs at most one line a second about this.
///
/// Of several processes that open the same unix path at the same time one gets it, and the others get
/// EADDRINUSE. The directory is locked meanwhile (flock(2)), if it can be read. The listener keeps it open,
/// so that `unlink_on_close` works after a change of the working directory.
class TSOCK_EXPORT Listener {
 public:
  /// No listener, and no loop to complete on: `accept()` returns an empty Request. (On a moved-from one it
  /// completes with ENOTCONN.)
  Listener() noexcept = default;
  /// For implementers: puts a front on a backend. Throws std::bad_alloc if there is no memory; the backend
  /// then stays with the caller.
  Listener(Loop& loop, std::unique_ptr<ListenerBackend>&& backend, const StreamOptions& accepted = {});
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&& other) noexcept;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  /// Stops listening; an accept in progress completes with ECANCELED on the next turn.
  ~Listener();

  /// Listens on an ipv4, ipv6 or unix address, or serves a named pipe of Windows. Port 0 takes a free port;
  /// `local_address()` has its number. On failure the Listener is empty and `err` is:
  ///  - EINVAL: an address or option that does not fit
  ///  - ENOTSUP: an option that the system does not have
  ///  - EAFNOSUPPORT: the system has no unix sockets, or no named pipes
  ///  - EADDRINUSE: also a pipe that still has connections of a listener that is gone
  ///  - EACCES, ENOMEM
  ///  - what else socket(2), bind(2), listen(2), chmod(2) and chown(2) give
  static Listener listen(Loop& loop, const Address& address, const ListenerOptions& options, int& err);
  /// `listen()` for inet addresses only (EINVAL otherwise).
  static Listener tcp(Loop& loop, const Address& address, const ListenerOptions& options, int& err);
  /// `listen()` for unix addresses only (EINVAL otherwise): a path or an abstract name.
  static Listener unix_stream(Loop& loop, const Address& address, const ListenerOptions& options, int& err);
  /// Takes over a listening stream socket, or one of unix SOCK_SEQPACKET, as from socket activation:
  /// `UniqueSocket socket(3)`. On failure the socket stays in `socket`. Errors:
  ///  - EBADF, ENOTSOCK, EPROTOTYPE
  ///  - EINVAL: it does not listen
  ///  - EEXIST: the loop already watches it
  ///  - ENOMEM
  static Listener adopt(Loop& loop, UniqueSocket& socket, const StreamOptions& accepted, int& err);

  /// True for a listener that is neither empty nor moved from.
  explicit operator bool() const noexcept { return core() != nullptr; }
  /// The address that is actually bound.
  [[nodiscard]] Address local_address() const;
  /// The listening socket, still owned by the listener; `invalid_socket` when there is none, as for a pipe.
  [[nodiscard]] NativeSocket native_handle() const noexcept;
  /// The listener's loop, also after it was moved from. Throws std::logic_error on a default constructed
  /// listener, which has none.
  [[nodiscard]] Loop& loop() const { return detail::checked_loop(loop_or_null()); }

  /// Takes the next connection. Cancelling and destroying lose none: a connection that was already taken goes
  /// to the next accept. \return a request for the Stream. Errors:
  ///  - EBUSY: an accept is in flight
  ///  - what accept(2) gives for a broken listener
  Request<Stream> accept(CallSite site = CallSite::current());

  /// Sets a function that the loop calls with the errno value each time the listener pauses. Replaces an
  /// earlier one.
  void set_pause_callback(std::function<void(int err)> function);
  /// True while the listener pauses.
  [[nodiscard]] bool is_paused() const noexcept;

 private:
  friend class detail::AcceptLoop;
  friend class detail::LogAcceptError;
  friend class ListenerAccess;
  [[nodiscard]] detail::ListenerCore* core() const noexcept { return place_.engine(); }
  [[nodiscard]] Loop* loop_or_null() const noexcept;

  detail::EnginePlace<detail::ListenerCore> place_;
};

/// How `for_each_accept()` accepts.
struct AcceptOptions {
  /// Connections at a time. While that many hold their slots, further ones wait in the backlog; 0 takes none.
  std::size_t most = std::numeric_limits<std::size_t>::max();
};

/// The place of one connection among `AcceptOptions::most`. Keep it as long as the connection counts, usually
/// beside its stream. May outlive listener and loop.
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

/// Pauses, resumes and stops a `for_each_accept()`. Destroying this object leaves accepting as it is, except
/// that a paused one ends. May outlive the listener, and has no effect from then on.
class TSOCK_EXPORT Accepting {
 public:
  Accepting() noexcept = default;
  /// For implementers.
  explicit Accepting(std::shared_ptr<detail::AcceptLoop> loop) noexcept : loop_(std::move(loop)) {}

  /// The function is not called until `resume()`. Connections wait in the backlog; none is lost.
  void pause() noexcept;
  void resume();
  /// The function is not called again, and the listener is free for another accept on the next turn.
  void stop() noexcept;
  [[nodiscard]] bool is_paused() const noexcept;
  /// The number of slots that are held.
  [[nodiscard]] std::size_t connections() const noexcept;

 private:
  std::shared_ptr<detail::AcceptLoop> loop_;
};

/// Accepts until the listener is destroyed and calls `function(Stream)` for each connection, from the loop.
/// The function may destroy the listener. `on_error(int err)` is called if accepting ends with any other
/// error; pauses and errors of single connections do not count. On an empty listener nothing happens. The
/// return value may be ignored.
template <class F, class E>
requires std::is_invocable_v<E&, int> Accepting for_each_accept(Listener& listener, F function, E on_error,
                                                                CallSite site = CallSite::current());

/// As above; the end of accepting is only logged.
template <class F>
Accepting for_each_accept(Listener& listener, F function, CallSite site = CallSite::current());

/// As above, with a limit: `function(Stream, AcceptSlot)` keeps the slot as long as the connection counts.
template <class F, class E>
requires std::is_invocable_v<E&, int> Accepting for_each_accept(Listener& listener,
                                                                const AcceptOptions& options, F function,
                                                                E on_error,
                                                                CallSite site = CallSite::current());

/// As above; the end of accepting is only logged.
template <class F>
Accepting for_each_accept(Listener& listener, const AcceptOptions& options, F function,
                          CallSite site = CallSite::current());

}  // namespace tsock::inline v0

#include <tsock/detail/accept_loop.hpp>
