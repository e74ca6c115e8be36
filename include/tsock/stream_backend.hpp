#pragma once

#include <chrono>
#include <cstddef>
#include <limits>
#include <span>
#include <string_view>
#include <tsock/address.hpp>
#include <tsock/buffer.hpp>
#include <tsock/export.hpp>
#include <tsock/message_room.hpp>
#include <tsock/readiness.hpp>

namespace tsock::inline v0 {

class SocketControl;
struct StreamOptions;
struct TcpInfo;

/// The events that a StreamBackend reports to the Stream in front of it. None of these runs user code:
/// completions are delivered later by the loop.
class TSOCK_EXPORT StreamEvents {
 public:
  /// `try_readv()` is worth a call: bytes, the end or an error have arrived. So is a `try_disconnect()` that
  /// gave EAGAIN. May come without need.
  virtual void on_readable() noexcept = 0;
  /// The call that gave EAGAIN (`try_writev()`, `try_flush()`, `try_shutdown_write()`, `try_disconnect()`) is
  /// worth repeating.
  virtual void on_writable() noexcept = 0;
  /// The connection is broken: EPIPE if the peer ended its side, else the connection's error.
  virtual void on_broken(int err) noexcept = 0;
  /// The backend lacks a resource, possibly only for now. Reads and writes that wait end with `err` (which
  /// may be EAGAIN); operations started later try again. A read returns its bytes to the stream; after a
  /// write of which a part was taken, writing has ended.
  virtual void on_shortage(int err) noexcept = 0;

 protected:
  ~StreamEvents() = default;
};

/// What a Stream may assume of its backend.
struct StreamTraits {
  bool read_ahead = true;  ///< more may be taken than was asked for, to serve following reads from memory
  bool short_is_final = false;  ///< a read or write that moved less than was offered would give EAGAIN next
  /// Not 0: each write of the caller is a message. A call of `try_writev()` gets one of them, whole, of at
  /// most that many bytes (EMSGSIZE for longer ones), and takes all of it or none. `pending_bytes()` is then
  /// what is left of the message to which the next byte belongs, once all of it is there,
  /// `try_read_message()` gives it to `Stream::read_message()`, and `read_ahead` is false. Other reads cross
  /// the borders.
  std::size_t message_size = 0;
};

/// The progress of a disconnect. The Stream in front owns it, and a layer passes it on to the backend below.
/// A socket that is closed while input is unread, or comes later, resets the connection, and the reset drops
/// what the peer has not read yet. So the backend that owns the connection lingers: it ends its sending side,
/// and reads and discards until the peer's end or a limit.
struct Linger {
  // Set by the front.
  std::size_t most_discarded = std::numeric_limits<std::size_t>::max();
  bool is_over = false;  ///< the time is up: close now, ETIMEDOUT if that may cut something off
  // Set by all: whoever holds unread bytes adds them when the disconnect begins.
  std::size_t discarded = 0;  ///< bytes thrown away so far
  // Set by the front, and by layers above:
  /// What has not left need not: a goodbye whose time is over, or what is left of writes that failed.
  bool gives_up_unsent = false;
  bool peer_has_ended = false;  ///< the peer has said its goodbye: it sends nothing more
  // Set by the backend that lingers.
  bool has_begun = false;
  bool awaits_end = false;  ///< the peer talks, or has not taken everything: only its end is enough
  bool peer_talks = false;  ///< bytes came after the sending side had ended
  std::chrono::milliseconds try_again{};  ///< with EAGAIN: call again after this time, without an event

  /// Counts bytes as discarded. \return whether that is within the limit.
  bool discard(std::size_t bytes) noexcept {
    discarded += bytes;
    awaits_end = awaits_end || bytes != 0;
    return discarded <= most_discarded;
  }
};

/// The interface behind a Stream. An implementation gets everything that a socket has: exact reads, PDU
/// readers, queues, deadlines, lossless cancelling and error latches are made by the front, once.
///
/// It has the shape of a non-blocking file descriptor: each `try_` function does what can be done at once and
/// otherwise gives EAGAIN; the backend then calls the matching event once another try is worth it. The front
/// calls with valid arguments only, never from two threads, and never again once `try_disconnect()` has
/// returned anything but EAGAIN. No function throws: one that gets no memory says ENOMEM and loses nothing. A
/// backend must not call an event from inside one of its own `try_` or `want_` functions; if there is nothing
/// to wait for, the `want_` function returns Readiness::now.
class TSOCK_EXPORT StreamBackend {
 public:
  StreamBackend() = default;
  StreamBackend(const StreamBackend&) = delete;
  StreamBackend& operator=(const StreamBackend&) = delete;
  /// Closes what is open, at once and without a goodbye. No event follows. The destructor of what it owns may
  /// destroy any object of tsock, the Loop included.
  virtual ~StreamBackend() = default;

  /// Called before anything else, and again when the backend passes to another owner, such as a layer: the
  /// one that attaches last receives the events, also those that its predecessor asked for. `events` outlives
  /// the backend, or is replaced in time.
  virtual void attach(StreamEvents& events) noexcept = 0;

  /// Fills the vectors, from the first one on, with what has arrived. \return bytes, more than 0; 0 at the
  /// end of the stream; -1 with `err`, EAGAIN if nothing has arrived yet.
  virtual ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept = 0;
  /// Where messages have borders (`StreamTraits::message_size`): gives what is left of one message, all of
  /// it, in one piece. \return its bytes; 0 at the end of the stream; -1 with `err`, EAGAIN if no whole
  /// message is there, or `room` has none for it; EPROTO if a part of it was taken and the rest did not come.
  /// The default asks `pending_bytes()` and then `try_readv()`.
  virtual ssize_t try_read_message(MessageRoom& room, int& err) noexcept;
  /// Takes bytes from the vectors. \return bytes taken, more than 0; -1 with `err`, EAGAIN if nothing can be
  /// taken yet. The backend keeps no pointer into the vectors.
  virtual ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept = 0;
  /// Where messages have borders: as `try_writev()` of one message after the other, each of which is a vector
  /// that is not empty; a backend can pass them on together. \return the bytes of the messages taken, more
  /// than 0; -1 with `err` if the first one was not taken, EAGAIN if it cannot be yet. The backend keeps no
  /// pointer into the messages. The default calls `try_writev()`.
  virtual ssize_t try_write_messages(std::span<const iovec> messages, int& err) noexcept;
  /// Whether all bytes taken have left for the layer below. \return 0, EAGAIN, or an errno value.
  virtual int try_flush() noexcept { return 0; }
  /// After `try_writev()` or `try_flush()` failed: bytes that were taken and will never leave. Requests do
  /// not count them as transferred.
  [[nodiscard]] virtual std::size_t unsent_bytes() const noexcept { return 0; }
  /// Ends the sending side; reading goes on. \return 0, EAGAIN, or an errno value: ENOTSUP without
  /// half-close.
  virtual int try_shutdown_write() noexcept = 0;
  /// Sends the layer's goodbye, lingers where closing could cut off what was written, and closes, down to the
  /// lowest layer. A layer adds what it has read ahead to `linger` and passes it on. After EAGAIN the front
  /// calls `want_writable()` and waits for either event; if `linger.is_over`, it aborts. Only EAGAIN leaves
  /// the backend open. \return 0, EAGAIN, or an errno value:
  ///  - ETIMEDOUT: `linger.is_over`
  ///  - ENOBUFS: more than `linger.most_discarded`
  ///  - what broke the connection meanwhile
  virtual int try_disconnect(Linger& linger) noexcept = 0;
  /// Closes so that the peer sees a reset if the transport has one. Never waits.
  virtual void abort() noexcept = 0;

  /// Asks for one `on_readable()`, unless another call is already worth it.
  [[nodiscard]] virtual Readiness want_readable() noexcept = 0;
  /// Asks for one `on_writable()`, unless another call is already worth it.
  [[nodiscard]] virtual Readiness want_writable() noexcept = 0;
  /// Asks for one `on_broken()`, without reading.
  virtual void want_broken() noexcept = 0;

  /// No request waits for `on_readable()` any more: the read was cancelled or timed out. The event may still
  /// come. For a backend whose waiting keeps `Loop::run()` from returning, as a request does.
  virtual void unwant_readable() noexcept {}
  /// As above, for `on_broken()`.
  virtual void unwant_broken() noexcept {}

  /// Why the last function failed, in words, where errno is too little; else empty. A request that the
  /// failure ends keeps a copy (`Request::reason()`).
  [[nodiscard]] virtual std::string_view reason() const noexcept { return {}; }

  /// Bytes that `try_readv()` would give at once, of one message where these have borders; if 0, a pending
  /// error is stored in `err`.
  virtual std::size_t pending_bytes(int& err) noexcept = 0;
  /// How the front may use `try_readv()` and `try_writev()`; called after `attach()` and when options have
  /// changed.
  [[nodiscard]] virtual StreamTraits traits() const noexcept { return {}; }
  /// Whether a broken connection fails reads before buffered bytes are read
  /// (StreamOptions::fail_on_first_error), and writes when the peer ends its side (strict_tsocket).
  virtual void watch_for_breaks(bool /*on*/) noexcept {}

  /// Applies the options that an open stream can still take (`Stream::set_options()`). A layer passes them on
  /// to the backend below. \return 0 or an errno value. The default gives ENOTSUP for an option that only
  /// sockets have.
  virtual int apply(const StreamOptions& options) noexcept;

  [[nodiscard]] virtual Address local_address() const noexcept { return {}; }
  [[nodiscard]] virtual Address remote_address() const noexcept { return {}; }
  /// What the kernel knows of the TCP connection. A layer asks the backend below. \return 0, or an errno
  /// value with `info` unchanged. The default gives ENOTSUP.
  virtual int tcp_info(TcpInfo& info) const noexcept;
  /// What only sockets have; null for every other stream, so that nothing reaches below a security layer.
  [[nodiscard]] virtual SocketControl* socket_control() noexcept { return nullptr; }
};

}  // namespace tsock::inline v0
