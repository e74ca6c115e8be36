#pragma once

#include <chrono>
#include <cstddef>
#include <limits>
#include <span>
#include <tsock/address.hpp>
#include <tsock/buffer.hpp>
#include <tsock/export.hpp>
#include <tsock/readiness.hpp>

namespace tsock {

class SocketControl;
struct StreamOptions;

/// What a StreamBackend tells the Stream in front of it. None of these runs a callback of the user:
/// completions are delivered later by the loop.
class TSOCK_EXPORT StreamEvents {
 public:
  /// `try_readv()` is worth a call: bytes, the end or an error are there. A `try_disconnect()` that gave
  /// EAGAIN is, too. May come without need.
  virtual void on_readable() noexcept = 0;
  /// What gave EAGAIN (`try_writev()`, `try_flush()`, `try_shutdown_write()`, `try_disconnect()`) is worth
  /// another call.
  virtual void on_writable() noexcept = 0;
  /// The connection is broken: EPIPE when the peer ended its side, else the connection's error.
  virtual void on_broken(int err) noexcept = 0;
  /// What the backend needs for going on cannot be had now, which need not last: reads and writes that wait
  /// end with `err` (which may be EAGAIN), and what is started later is tried anew. A read gives its bytes
  /// back; behind a write of which a part was taken, writing has ended.
  virtual void on_shortage(int err) noexcept = 0;

 protected:
  ~StreamEvents() = default;
};

/// What a Stream may assume of its backend.
struct StreamTraits {
  bool read_ahead = true;  ///< more may be taken than was asked for, to serve following reads from memory
  bool short_is_final = false;  ///< a read or write that moved less than was offered would give EAGAIN next
};

/// How far a disconnect has come. It belongs to the Stream in front, and a layer hands it on to the backend
/// below. A socket that is closed while input is unread, or comes later, resets the connection, and the
/// reset drops what the peer has not read yet. So the backend that owns the connection lingers: it ends its
/// sending side, and reads and discards until the peer's end or a limit.
struct Linger {
  // Of the front.
  std::size_t most_discarded = std::numeric_limits<std::size_t>::max();
  bool is_over = false;  ///< the time is over: close now, ETIMEDOUT if that may cut something off
  // Of all: who holds bytes that nobody has taken adds them when the disconnect begins.
  std::size_t discarded = 0;  ///< bytes thrown away so far
  // Of the backend that lingers.
  bool has_begun = false;
  bool awaits_end = false;  ///< the peer talks, or has not taken everything: only its end is enough
  bool peer_talks = false;  ///< bytes came after the sending side had ended
  std::chrono::milliseconds
      try_again{};  ///< with EAGAIN: worth another call after that time, without an event

  /// Counts bytes as thrown away. \return whether that is within the limit.
  bool discard(std::size_t bytes) noexcept {
    discarded += bytes;
    awaits_end = awaits_end || bytes != 0;
    return discarded <= most_discarded;
  }
};

/// The interface behind a Stream. Whoever implements it has made a stream that is as good as a socket: exact
/// reads, PDU readers, queues, deadlines, cancelling without loss and error latches are all made by the
/// front, once.
///
/// It is a non-blocking file description in shape: each `try_` function does what can be done at once and
/// otherwise gives EAGAIN; the backend then calls the matching event once it is worth trying again. The front
/// calls with valid arguments only, never again once `try_disconnect()` has returned anything but EAGAIN, and
/// never from two threads. No function throws: what needs memory and gets none says ENOMEM, and nothing is
/// lost by it. A backend must not call an event from inside a `try_` or `want_` function of its own; where
/// nothing has to be waited for, the `want_` function answers Readiness::now.
class TSOCK_EXPORT StreamBackend {
 public:
  StreamBackend() = default;
  StreamBackend(const StreamBackend&) = delete;
  StreamBackend& operator=(const StreamBackend&) = delete;
  /// Closes what is open, at once and without a goodbye. No event comes afterwards.
  virtual ~StreamBackend() = default;

  /// Called once, before anything else. `events` outlives the backend.
  virtual void attach(StreamEvents& events) noexcept = 0;

  /// Fills the vectors from the front with what is there. \return bytes, more than 0; 0 at the end of the
  /// stream; -1 with `err`: EAGAIN when nothing is there yet.
  virtual ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept = 0;
  /// Takes bytes from the vectors. \return bytes taken, more than 0; -1 with `err`: EAGAIN when nothing can
  /// be taken yet. The backend keeps no pointer into the vectors.
  virtual ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept = 0;
  /// Whether all bytes taken have left for the layer below. \return 0, EAGAIN, or an errno value.
  virtual int try_flush() noexcept { return 0; }
  /// When `try_writev()` or `try_flush()` failed: bytes that were taken and have not left, and never will.
  /// Requests then do not count them as transferred.
  [[nodiscard]] virtual std::size_t unsent_bytes() const noexcept { return 0; }
  /// Ends the sending side; reading goes on. \return 0, EAGAIN, or an errno value: ENOTSUP where there is no
  /// half-close.
  virtual int try_shutdown_write() noexcept = 0;
  /// Says the layer's goodbye, lingers where closing could cut off what was written, and closes, also what is
  /// below; a layer adds what it has read ahead to `linger` and hands it on. After EAGAIN the front calls
  /// `want_writable()` and waits for either event; when `linger.is_over` it aborts. \return 0, EAGAIN, or an
  /// errno value: ETIMEDOUT when `linger.is_over`, ENOBUFS for more than `linger.most_discarded`, what broke
  /// the connection meanwhile. Only EAGAIN leaves the backend open.
  virtual int try_disconnect(Linger& linger) noexcept = 0;
  /// Closes so that the peer sees a reset where the transport has one. Never waits.
  virtual void abort() noexcept = 0;

  /// Asks for `on_readable()` once, unless another call is worth it already.
  [[nodiscard]] virtual Readiness want_readable() noexcept = 0;
  /// Asks for `on_writable()` once, unless another call is worth it already.
  [[nodiscard]] virtual Readiness want_writable() noexcept = 0;
  /// Asks for `on_broken()` once, without reading.
  virtual void want_broken() noexcept = 0;

  /// Nobody waits for `on_readable()` any more: the read was cancelled, or its time was over. The event may
  /// still come. For a backend whose waiting keeps `Loop::run()` from returning, as a request does.
  virtual void unwant_readable() noexcept {}
  /// The same of `on_broken()`.
  virtual void unwant_broken() noexcept {}

  /// Bytes that `try_readv()` would give at once; when 0, a waiting error is put into `err`.
  virtual std::size_t pending_bytes(int& err) noexcept = 0;
  /// How the front may use `try_readv()` and `try_writev()`; asked after
  /// `attach()` and when options have changed.
  [[nodiscard]] virtual StreamTraits traits() const noexcept { return {}; }
  /// Whether the connection breaking should fail reads before what is buffered was read
  /// (StreamOptions::fail_on_first_error), and writes when the peer ends its side (strict_tsocket).
  virtual void watch_for_breaks(bool /*on*/) noexcept {}

  /// Applies the options that an open stream can still take (`Stream::set_options()`). A layer passes them on
  /// to what is below. \return 0 or an errno value; unless overridden ENOTSUP when an option of a socket is
  /// given.
  virtual int apply(const StreamOptions& options) noexcept;

  [[nodiscard]] virtual Address local_address() const noexcept { return {}; }
  [[nodiscard]] virtual Address remote_address() const noexcept { return {}; }
  /// What only sockets have; null for every other stream, so that nobody reaches below a security layer.
  [[nodiscard]] virtual SocketControl* socket_control() noexcept { return nullptr; }
};

}  // namespace tsock
