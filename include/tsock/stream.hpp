#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <tsock/address.hpp>
#include <tsock/buffer.hpp>
#include <tsock/byte_view.hpp>
#include <tsock/call_site.hpp>
#include <tsock/connect_options.hpp>
#include <tsock/detail/checked_loop.hpp>
#include <tsock/detail/engine_place.hpp>
#include <tsock/detail/inline_function.hpp>
#include <tsock/detail/next_vector_call.hpp>
#include <tsock/detail/prefix_format.hpp>
#include <tsock/disconnect_options.hpp>
#include <tsock/export.hpp>
#include <tsock/framing.hpp>
#include <tsock/native_socket.hpp>
#include <tsock/owned_bytes.hpp>
#include <tsock/pdu.hpp>
#include <tsock/peer_credentials.hpp>
#include <tsock/queue.hpp>
#include <tsock/request.hpp>
#include <tsock/stream_backend.hpp>
#include <tsock/stream_options.hpp>
#include <tsock/unique_fd.hpp>
#include <tsock/unique_socket.hpp>
#include <tsock/vector_list.hpp>
#include <tsock/watermarks.hpp>
#include <type_traits>
#include <utility>
#include <vector>

namespace tsock {

class Loop;

namespace detail {
class StreamCore;
class StreamWrite;
}  // namespace detail

/// A connected stream of bytes between two ends: a socket, a pipe, or a layer such as TLS over another
/// stream.
///
/// One read and one write can be in flight; a second one of a kind completes with EBUSY. Queues are the way
/// to have many. Vectors are copied by the call; the bytes stay the caller's and must live until the
/// completion or until the Request is destroyed. Errors latch per direction: after the peer's end of stream
/// one can still write.
///
/// An interrupted read (cancelled, timed out, destroyed) gives the bytes that it took back to the stream; the
/// next read gets them. An interrupted write of which nothing went out leaves no trace; when a part went out,
/// writing fails from then on with EPROTO.
///
/// A Stream may be moved and destroyed at any time, also in callbacks; requests in progress then complete
/// with ECANCELED on the next turn, and the connection is closed at once without a goodbye. Use
/// `disconnect()` for an orderly end.
class TSOCK_EXPORT Stream {
 public:
  /// No stream, and no loop to complete on: operations give an empty Request. (A moved-from stream gives
  /// ENOTCONN.)
  Stream() noexcept = default;
  /// For implementers: puts a front on a backend. Without memory it throws std::bad_alloc and leaves the
  /// backend to the caller.
  Stream(Loop& loop, std::unique_ptr<StreamBackend>&& backend, const StreamOptions& options = {});
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&& other) noexcept;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();

  /// Connects to an ipv4, ipv6 or unix stream address. Nothing is resolved: see `connect_to_host()` for
  /// names.
  /// \return a request that gives the Stream. Errors: EINVAL for an address that cannot be connected to or a
  /// local address of another family; what connect(2), bind(2) and socket(2) give; ECONNREFUSED also for a
  /// TCP socket that met itself, where nobody listens; ETIMEDOUT, ECANCELED. A full unix backlog is waited
  /// for. Cancelling and destroying close the socket.
  static Request<Stream> connect(Loop& loop, const Address& remote, const ConnectOptions& options = {},
                                 CallSite site = CallSite::current());
  /// As `connect()`, for inet addresses only (EINVAL otherwise); tsocket's tstream_inet_tcp_connect.
  static Request<Stream> tcp_connect(Loop& loop, const Address& local, const Address& remote,
                                     CallSite site = CallSite::current());
  /// As `connect()`, for unix addresses only (EINVAL otherwise); tsocket's tstream_unix_connect.
  static Request<Stream> unix_connect(Loop& loop, const Address& local, const Address& remote,
                                      CallSite site = CallSite::current());
  /// Two connected unix streams (socketpair(2)). On failure both are empty and `err` tells why.
  static std::pair<Stream, Stream> socketpair(Loop& loop, int& err);
  /// Takes over a connected stream socket. It is made non-blocking and close-on-exec and moved to 3 or above;
  /// a socket that was blocking is so again when the stream ends or gives it away, as others may have it too.
  /// Errors: EBADF, ENOTSOCK, EPROTOTYPE when it is not a stream socket, EAFNOSUPPORT for a family other than
  /// ipv4, ipv6, unix, EEXIST when the loop watches it already, ENOMEM. On failure the socket stays in
  /// `socket`.
  static Stream adopt(Loop& loop, UniqueSocket& socket, const StreamOptions& options, int& err);

  /// Whether there is a stream that was not disconnected.
  [[nodiscard]] bool is_open() const noexcept;
  explicit operator bool() const noexcept { return is_open(); }
  /// The stream's loop, also of one that was closed or moved from. A default constructed stream has none: it
  /// throws std::logic_error.
  [[nodiscard]] Loop& loop() const { return detail::checked_loop(loop_or_null()); }

  /// Reads until every byte of every vector is filled.
  /// \return a request for the total count. Errors, in the order of the checks: EMSGSIZE too many vectors or
  /// a sum that does not fit; EINVAL nothing to read; ECONNABORTED a disconnect runs; EBUSY a read is in
  /// flight; ENOTCONN closed; the latched read error. EPIPE is the end of the stream: with `transferred()` 0
  /// between messages, otherwise a message was cut; the bytes that came are in the vectors then. Cancelling
  /// loses no byte. A large buffer is best aligned to 64 bytes or more (docs/performance.md).
  /// (tsocket: tstream_readv)
  Request<ssize_t> readv(std::span<const iovec> vectors, CallSite site = CallSite::current());
  /// `readv()` with one buffer.
  Request<ssize_t> read(std::span<std::byte> buffer, CallSite site = CallSite::current());
  /// Reads what is there: at least one byte, at most the buffer. Errors and cancelling as `readv()`.
  Request<ssize_t> read_some(std::span<std::byte> buffer, CallSite site = CallSite::current());

  /// Reads one message into memory of the library. \return a request for the Pdu. Errors as `readv()`, and
  /// EINVAL for an unusable framing, EMSGSIZE for a message outside of the framing's limits, ENOMEM. After an
  /// error, also EPIPE, the bytes of the incomplete message are still unread; `transferred()` tells how many
  /// they were. Cancelling loses no byte.
  Request<Pdu> readv_pdu(const Framing& framing, CallSite site = CallSite::current()) {
    return readv_framed(nullptr, framing, site);
  }
  /// As above, when its turn comes in the queue.
  Request<Pdu> readv_pdu(Queue& queue, const Framing& framing, CallSite site = CallSite::current()) {
    return readv_framed(&queue, framing, site);
  }
  /// The same for a framing that is known where the call is compiled.
  template <std::uint8_t Width, bool BigEndian>
  Request<Pdu> readv_pdu(const framing::LengthPrefix<Width, BigEndian>& framing,
                         CallSite site = CallSite::current()) {
    return readv_prefixed(nullptr, framing, site);
  }
  /// As above, when its turn comes in the queue.
  template <std::uint8_t Width, bool BigEndian>
  Request<Pdu> readv_pdu(Queue& queue, const framing::LengthPrefix<Width, BigEndian>& framing,
                         CallSite site = CallSite::current()) {
    return readv_prefixed(&queue, framing, site);
  }
  /// Reads one message into the caller's memory: `int next(VectorList& vectors)` is called from the loop,
  /// first for the first vectors and then each time when all of them are filled; it adds vectors, or none
  /// when the message is complete, and returns 0, or an errno value that ends the request. Vectors without a
  /// byte give EINVAL. What it throws comes out of `Loop::run()`, and the request ends with EIO. It may
  /// destroy anything. \return a request for the message's size. Cancelling loses no byte, but for a message
  /// of which more than 64 KiB were handed over in earlier calls: reading then fails from there on with
  /// EPROTO. (tsocket: tstream_readv_pdu)
  template <class F>
  requires std::is_invocable_r_v<int, F&, VectorList&> Request<ssize_t> readv_pdu(
      F next, CallSite site = CallSite::current()) {
    Loop* const on = loop_or_null();
    if (on == nullptr) return {};
    return readv_next_vector(nullptr, detail::next_vector_function(*on, std::move(next)), site);
  }
  /// As above, when its turn comes in the queue.
  template <class F>
  requires std::is_invocable_r_v<int, F&, VectorList&> Request<ssize_t> readv_pdu(
      Queue& queue, F next, CallSite site = CallSite::current()) {
    Loop* const on = loop_or_null();
    if (on == nullptr) return {};
    return readv_next_vector(&queue, detail::next_vector_function(*on, std::move(next)), site);
  }

  /// Writes all bytes of all vectors.
  /// \return a request for the total count; it completes when the kernel (or the layer below) has taken the
  /// last byte. Errors in the order of `readv()`, with EBUSY for a write in flight and the latched write
  /// error; ENOBUFS above the cap of `set_watermarks()`; EPIPE after `shutdown_write()`. Cancelling: see the
  /// class. (tsocket: tstream_writev)
  Request<ssize_t> writev(std::span<const iovec> vectors, CallSite site = CallSite::current()) {
    return Request<ssize_t>(begin_writev(vectors, site));
  }
  /// As above, when its turn comes in the queue. Writes of a queue that follow one another leave in one
  /// system call.
  Request<ssize_t> writev(Queue& queue, std::span<const iovec> vectors, CallSite site = CallSite::current()) {
    return Request<ssize_t>(begin_writev(queue, vectors, site));
  }
  /// `writev()` with one buffer: bytes or text. No byte, also a null C string, gives EINVAL.
  Request<ssize_t> write(ByteView bytes, CallSite site = CallSite::current());
  /// As above, when its turn comes in the queue.
  Request<ssize_t> write(Queue& queue, ByteView bytes, CallSite site = CallSite::current());
  /// Writes a temporary `std::string`, `std::vector<std::byte>` or Pdu, which the request keeps until it is
  /// destroyed. Nothing is copied. When there is no memory for the request, the value stays where it is. For
  /// other temporaries that own their bytes there is no `write()`.
  template <OwnedBytes Bytes>
  Request<ssize_t> write(Bytes&& bytes, CallSite site = CallSite::current()) {
    return write_owned(nullptr, std::forward<Bytes>(bytes), site);
  }
  /// As above, when its turn comes in the queue.
  template <OwnedBytes Bytes>
  Request<ssize_t> write(Queue& queue, Bytes&& bytes, CallSite site = CallSite::current()) {
    return write_owned(&queue, std::forward<Bytes>(bytes), site);
  }
  template <DanglingBytes Bytes>
  Request<ssize_t> write(Bytes&& bytes, CallSite site = CallSite::current()) = delete;
  template <DanglingBytes Bytes>
  Request<ssize_t> write(Queue& queue, Bytes&& bytes, CallSite site = CallSite::current()) = delete;
  /// `writev()` that passes file descriptors along with the first byte (SCM_RIGHTS, unix(7)). The descriptors
  /// stay the caller's and must stay open until the completion. ENOTSUP on streams other than unix sockets,
  /// EINVAL for more than 253.
  Request<ssize_t> writev_with_fds(std::span<const iovec> vectors, std::span<const int> fds,
                                   CallSite site = CallSite::current());
  /// The descriptors that came along with the bytes read so far, in order; needs StreamOptions::receive_fds.
  /// None of them is missing without a word: reading ends, before the bytes that they came with, with
  /// ETOOMANYREFS when more than StreamOptions::max_received_fds wait here, and with EMFILE when the system
  /// dropped some because the process has no descriptor left. Those of earlier bytes can still be taken.
  /// Without memory it throws std::bad_alloc, and they are still there.
  std::vector<UniqueFd> take_received_fds();

  /// Bytes that can be read without waiting. When 0, `err` tells the error that the next read would give:
  /// ENOTCONN, the latched or waiting error of the connection, or 0. Always at least what was read ahead.
  /// (tsocket: tstream_pending_bytes)
  [[nodiscard]] std::size_t pending_bytes(int& err);

  /// Ends the stream in order: the layer's goodbye, then close, also of what is below. What was written
  /// arrives while the peer lives: when bytes of the peer are unread or some of ours are unsent, the stream
  /// lingers, that is, it ends its sending side, and reads and discards until the peer ends its own.
  /// Otherwise nothing waits. `transferred()` tells the bytes discarded. Errors: EBUSY when a read or write
  /// is in flight or waits in a queue, EALREADY, ENOTCONN; closed, but something may have been cut off:
  /// ETIMEDOUT the linger time was over, ENOBUFS more came than may be discarded, ECONNRESET and the like
  /// when the connection broke meanwhile, ENOMEM there was none to wait with. A monitor completes with
  /// ECONNABORTED. Until the completion is delivered other operations give ECONNABORTED. Cancelling or
  /// destroying closes at once. (tsocket: tstream_disconnect)
  Request<void> disconnect(const DisconnectOptions& options = {}, CallSite site = CallSite::current()) &;
  /// The same with a stream that its owner needs no more: the request owns it until it is over. Writes that
  /// were started go out first, for as long as the linger time allows (ETIMEDOUT); everything else in flight
  /// on it completes with ECANCELED, also a pump; what that held goes back to its source.
  /// `std::move(stream).disconnect().detach()` finishes, closes and forgets.
  Request<void> disconnect(const DisconnectOptions& options = {}, CallSite site = CallSite::current()) &&;
  /// As above, and what waits in the queue goes out first, too.
  Request<void> disconnect(Queue&& queue, const DisconnectOptions& options = {},
                           CallSite site = CallSite::current()) &&;
  /// Completes when the connection breaks, never with success: EPIPE when the peer ended its side, ECONNRESET
  /// and the like when it is gone, ECONNABORTED for a disconnect of one's own. Unread bytes can still be
  /// read. EALREADY when one is in flight. Streams without a way to see a break report it when another
  /// operation does. (tsocket: tstream_monitor)
  Request<void> monitor(CallSite site = CallSite::current());
  /// Ends the sending side (half-close) after the writes in flight; reading goes on. Errors: ECONNABORTED,
  /// ENOTCONN, EALREADY, the latched write error, ENOTSUP where the transport has no half-close. Cancelling
  /// before it is out leaves the side open.
  Request<void> shutdown_write(CallSite site = CallSite::current());
  /// As above, after the writes that are in the queue.
  Request<void> shutdown_write(Queue& queue, CallSite site = CallSite::current());
  /// Closes at once; the peer of a TCP stream sees a reset. Requests in progress complete with ECONNABORTED.
  void abort() noexcept;

  /// Bytes of writes that have not left yet, those in queues included.
  [[nodiscard]] std::size_t queued_bytes() const noexcept;
  /// Has `function` called from the loop when `queued_bytes()` reaches the high mark, and when it is back at
  /// the low one. Replaces earlier marks; an empty function only sets the cap.
  void set_watermarks(const WriteWatermarks& marks, WatermarkFunction function);

  /// Changes options of the open stream; those that only matter before connecting are left out, as is what is
  /// not given (`nodelay` counts as given on TCP sockets only).
  /// \return 0 or an errno value: ENOTCONN; ENOTSUP for a given option that the stream cannot have, such as
  /// keepalive, buffer sizes or `receive_fds` without a socket; what setsockopt(2) gives. What the options
  /// say of the stream itself (`fail_on_first_error`, `strict_tsocket`, `max_read_ahead`) is set in any case.
  int set_options(const StreamOptions& options);
  [[nodiscard]] Address local_address() const;
  [[nodiscard]] Address remote_address() const;
  /// Who is at the other end of a unix stream. ENOTSUP for other streams, ENOTCONN when closed.
  [[nodiscard]] PeerCredentials peer_credentials(int& err) const;
  /// The socket below, still owned by the stream; `invalid_socket` for streams that have none or hide it.
  [[nodiscard]] NativeSocket native_handle() const noexcept;
  /// Gives the socket away and closes this stream. `unread` becomes the bytes that were read ahead of the
  /// caller: they come before what the socket gives next. A monitor completes with ECONNABORTED, as for
  /// `disconnect()`. Errors: EBUSY when a read, write or half-close is in flight or waits in a queue,
  /// ECONNABORTED, ENOTCONN, ENOTSUP for streams without a socket.
  UniqueSocket release_socket(std::vector<std::byte>& unread, int& err);

 private:
  friend class StreamAccess;
  // What runs for every message gives the state in a register; the Request is made where it is used.
  detail::RequestState* begin_prefixed(detail::PrefixFormat format, CallSite site);
  detail::RequestState* begin_writev(std::span<const iovec> vectors, CallSite site);
  detail::RequestState* begin_writev_in_general(Queue* queue, std::span<const iovec> vectors, CallSite site);
  detail::RequestState* begin_writev(Queue& queue, std::span<const iovec> vectors, CallSite site);
  [[nodiscard]] detail::StreamCore* core() const noexcept { return place_.engine(); }
  [[nodiscard]] Loop* loop_or_null() const noexcept;
  Request<ssize_t> readv_next_vector(Queue* queue, detail::InlineFunction next, CallSite site);
  template <std::uint8_t Width, bool BigEndian>
  Request<Pdu> readv_prefixed(Queue* queue, const framing::LengthPrefix<Width, BigEndian>& framing,
                              CallSite site) {
    if (!framing.is_valid()) [[unlikely]]
      return readv_framed(queue, framing, site);
    const detail::PrefixFormat format(Width, BigEndian, framing.includes_header, framing.min_body,
                                      framing.max_body);
    return queue == nullptr ? Request<Pdu>(begin_prefixed(format, site))
                            : begin_prefixed_in_general(queue, format, site);
  }
  Request<Pdu> begin_prefixed_in_general(Queue* queue, detail::PrefixFormat format, CallSite site);
  Request<Pdu> readv_framed(Queue* queue, const Framing& framing, CallSite site);
  Request<ssize_t> start_write(Queue* queue, std::span<const iovec> vectors, std::span<const int> fds,
                               CallSite site);
  Request<ssize_t> start_write(detail::StreamWrite& state, Queue* queue, std::span<const iovec> vectors,
                               std::span<const int> fds);
  Request<ssize_t> write_owned(Queue* queue, std::string&& text, CallSite site);
  Request<ssize_t> write_owned(Queue* queue, std::vector<std::byte>&& bytes, CallSite site);
  Request<ssize_t> write_owned(Queue* queue, Pdu&& pdu, CallSite site);

  detail::EnginePlace<detail::StreamCore> place_;
};

}  // namespace tsock
