#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
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
#include <tsock/detail/frame.hpp>
#include <tsock/detail/inline_function.hpp>
#include <tsock/detail/measure_call.hpp>
#include <tsock/detail/next_vector_call.hpp>
#include <tsock/detail/prefix_format.hpp>
#include <tsock/disconnect_options.hpp>
#include <tsock/export.hpp>
#include <tsock/framing.hpp>
#include <tsock/message_size.hpp>
#include <tsock/native_socket.hpp>
#include <tsock/owned_bytes.hpp>
#include <tsock/pdu.hpp>
#include <tsock/peer_credentials.hpp>
#include <tsock/queue.hpp>
#include <tsock/request.hpp>
#include <tsock/stream_backend.hpp>
#include <tsock/stream_options.hpp>
#include <tsock/tcp_info.hpp>
#include <tsock/unique_fd.hpp>
#include <tsock/unique_socket.hpp>
#include <tsock/vector_list.hpp>
#include <tsock/watermarks.hpp>
#include <type_traits>
#include <utility>
#include <vector>

namespace tsock::inline v0 {

class Loop;

namespace detail {
class StreamCore;
class StreamWrite;
}  // namespace detail

/// A connected stream of bytes between two ends: a socket, a pipe, or a layer such as TLS over another
/// stream.
///
/// One read and one write can be in flight; a second of the same kind completes with EBUSY. A Queue holds
/// more. The call copies the vectors; the bytes stay the caller's and must live until the completion or until
/// the Request is destroyed. Errors latch per direction: writing is still possible after the peer's end of
/// stream.
///
/// An interrupted read (cancelled, timed out, destroyed) returns the bytes it took to the stream; the next
/// read gets them. An interrupted write leaves no trace if none of its bytes were sent; if some were, writing
/// fails with EPROTO from then on.
///
/// A Stream may be moved and destroyed at any time, also in callbacks. Destroying it closes the connection at
/// once, without a goodbye, and requests in progress complete with ECANCELED on the next turn. Use
/// `disconnect()` for an orderly end.
class TSOCK_EXPORT Stream {
 public:
  /// No stream, and no loop to complete on: operations return an empty Request. (On a moved-from stream they
  /// complete with ENOTCONN.)
  Stream() noexcept = default;
  /// For implementers: puts a front on a backend. Throws std::bad_alloc if there is no memory; the backend
  /// then stays with the caller.
  Stream(Loop& loop, std::unique_ptr<StreamBackend>&& backend, const StreamOptions& options = {});
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&& other) noexcept;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();

  /// Connects to an ipv4, ipv6 or unix stream address, or to a named pipe of Windows. Resolves no names: see
  /// `connect_to_host()`. Waits while a unix backlog is full, or no instance of the pipe is free. Cancelling
  /// and destroying close the socket.
  /// \return a request for the Stream. Errors:
  ///  - EINVAL: an address that cannot be connected to, a local address of another family, or an option that
  ///    does not fit
  ///  - ENOTSUP: an option that the system does not have
  ///  - EAFNOSUPPORT: the system has no unix sockets, or no named pipes; `Request::reason()` says which
  ///  - ECONNREFUSED: no socket listens; also a TCP socket that was connected to itself
  ///  - ENOENT: nobody serves the pipe
  ///  - ETIMEDOUT, ECANCELED
  ///  - what socket(2), bind(2) and connect(2) give
  static Request<Stream> connect(Loop& loop, const Address& remote, const ConnectOptions& options = {},
                                 CallSite site = CallSite::current());
  /// As `connect()`, for inet addresses only (EINVAL otherwise); tsocket's tstream_inet_tcp_connect.
  static Request<Stream> tcp_connect(Loop& loop, const Address& local, const Address& remote,
                                     CallSite site = CallSite::current());
  /// As `connect()`, for unix addresses only (EINVAL otherwise); tsocket's tstream_unix_connect.
  static Request<Stream> unix_connect(Loop& loop, const Address& local, const Address& remote,
                                      CallSite site = CallSite::current());
  /// Two connected unix streams (socketpair(2)). On failure both are empty and `err` is the reason.
  static std::pair<Stream, Stream> socketpair(Loop& loop, int& err);
  /// As above, for streams whose writes are messages with borders (SOCK_SEQPACKET), see `read_message()`.
  static std::pair<Stream, Stream> message_socketpair(Loop& loop, int& err);
  /// Takes over a connected stream socket, or one of unix SOCK_SEQPACKET: makes it non-blocking and
  /// close-on-exec, and moves it to descriptor 3 or above. A socket that was blocking is made blocking again
  /// when the stream ends or gives it away, because others may share it. On failure the socket stays in
  /// `socket`. Errors:
  ///  - EBADF, ENOTSOCK
  ///  - EPROTOTYPE: a socket of another type
  ///  - EAFNOSUPPORT: a family other than ipv4, ipv6 and unix
  ///  - EINVAL: a socket that listens
  ///  - EEXIST: the loop already watches it
  ///  - ENOMEM
  static Stream adopt(Loop& loop, UniqueSocket& socket, const StreamOptions& options, int& err);

  /// True for a stream that is neither empty nor disconnected.
  [[nodiscard]] bool is_open() const noexcept;
  explicit operator bool() const noexcept { return is_open(); }
  /// The stream's loop, also after it was closed or moved from. Throws std::logic_error on a default
  /// constructed stream, which has none.
  [[nodiscard]] Loop& loop() const { return detail::checked_loop(loop_or_null()); }

  /// Reads until every byte of every vector is filled. Cancelling loses no byte. Align a large buffer to 64
  /// bytes or more (docs/performance.md). (tsocket: tstream_readv)
  /// \return a request for the total count. Errors, in the order of the checks:
  ///  - EMSGSIZE: too many vectors, or a sum that does not fit
  ///  - EINVAL: nothing to read
  ///  - ECONNABORTED: a disconnect is in progress
  ///  - EBUSY: a read is in flight
  ///  - ENOTCONN: the stream is closed
  ///  - the latched read error. EPIPE is the end of the stream: between messages if `transferred()` is 0,
  ///    otherwise inside one, whose bytes so far are in the vectors
  Request<ssize_t> readv(std::span<const iovec> vectors, CallSite site = CallSite::current());
  /// As above, for buffers in a list: `stream.readv({header, body})`.
  Request<ssize_t> readv(std::initializer_list<std::span<std::byte>> buffers,
                         CallSite site = CallSite::current());
  /// `readv()` with one buffer.
  Request<ssize_t> read(std::span<std::byte> buffer, CallSite site = CallSite::current());
  /// As above, for an array or container of `char` or `unsigned char`, which is filled to its present size.
  template <detail::CharBuffer Buffer>
  Request<ssize_t> read(Buffer& buffer, CallSite site = CallSite::current()) {
    return read(std::as_writable_bytes(std::span(buffer)), site);
  }
  /// Reads what has arrived: at least one byte, at most the buffer. Errors and cancelling as `readv()`.
  Request<ssize_t> read_some(std::span<std::byte> buffer, CallSite site = CallSite::current());
  /// As above, for an array or container of `char` or `unsigned char`, up to its present size.
  template <detail::CharBuffer Buffer>
  Request<ssize_t> read_some(Buffer& buffer, CallSite site = CallSite::current()) {
    return read_some(std::as_writable_bytes(std::span(buffer)), site);
  }

  /// Reads one message into memory of the library. Cancelling loses no byte. After an error, EPIPE included,
  /// the bytes of the incomplete message are unread again; `transferred()` is their number.
  /// \return a request for the Pdu. Errors as `readv()`, and:
  ///  - EINVAL: an unusable framing
  ///  - EMSGSIZE: a message outside the framing's limits
  ///  - ENOMEM
  Request<Pdu> readv_pdu(const Framing& framing, CallSite site = CallSite::current()) {
    return readv_framed(nullptr, framing, site);
  }
  /// As above, when its turn in the queue comes.
  Request<Pdu> readv_pdu(Queue& queue, const Framing& framing, CallSite site = CallSite::current()) {
    return readv_framed(&queue, framing, site);
  }
  /// As above, for a framing known at compile time.
  template <std::uint8_t Width, bool BigEndian>
  Request<Pdu> readv_pdu(const framing::LengthPrefix<Width, BigEndian>& framing,
                         CallSite site = CallSite::current()) {
    return readv_prefixed(nullptr, framing, site);
  }
  /// As above, when its turn in the queue comes.
  template <std::uint8_t Width, bool BigEndian>
  Request<Pdu> readv_pdu(Queue& queue, const framing::LengthPrefix<Width, BigEndian>& framing,
                         CallSite site = CallSite::current()) {
    return readv_prefixed(&queue, framing, site);
  }
  /// As above, for a framing that measures: one of `measured_framings.hpp`, or one of your own, see
  /// MeasuringFraming. A message gets memory as its bytes come. Besides:
  ///  - EMSGSIZE: above `max_message`, or shorter than the bytes that the framing needed
  ///  - EINVAL: the framing needs no more bytes than it was given, or more than `largest_measured_begin`; a
  ///    `max_message` of 0, or 2 GiB and more
  ///  - EIO: `size_of()` threw
  ///  - the error that `size_of()` returned
  template <MeasuringFraming F>
  Request<Pdu> readv_pdu(F framing, CallSite site = CallSite::current()) {
    return readv_measured(nullptr, std::move(framing), site);
  }
  /// As above, when its turn in the queue comes.
  template <MeasuringFraming F>
  Request<Pdu> readv_pdu(Queue& queue, F framing, CallSite site = CallSite::current()) {
    return readv_measured(&queue, std::move(framing), site);
  }
  /// Reads one message into the caller's memory. The loop calls `int next(VectorList& vectors)`, first for
  /// the first vectors and then each time all of them are filled. The function adds vectors, or none if the
  /// message is complete, and returns 0, or an errno value that ends the request. Vectors without a byte give
  /// EINVAL. An exception leaves `Loop::run()`, and the request ends with EIO. The function may destroy
  /// anything.
  ///
  /// Cancelling loses no byte, except in a message of which earlier calls handed over more than 64 KiB:
  /// reading then fails with EPROTO from there on. \return a request for the message's size. (tsocket:
  /// tstream_readv_pdu)
  template <class F>
  requires std::is_invocable_r_v<int, F&, VectorList&> Request<ssize_t> readv_pdu(
      F next, CallSite site = CallSite::current()) {
    Loop* const on = loop_or_null();
    if (on == nullptr) return {};
    return readv_next_vector(nullptr, detail::next_vector_function(*on, std::move(next)), site);
  }
  /// As above, when its turn in the queue comes.
  template <class F>
  requires std::is_invocable_r_v<int, F&, VectorList&> Request<ssize_t> readv_pdu(
      Queue& queue, F next, CallSite site = CallSite::current()) {
    Loop* const on = loop_or_null();
    if (on == nullptr) return {};
    return readv_next_vector(&queue, detail::next_vector_function(*on, std::move(next)), site);
  }

  /// Reads one message of a stream whose writes are messages with borders: a unix socket with
  /// `message_borders`, NPA in message mode. The message is the body of the Pdu. Behind other reads it is
  /// what they have left of the message. Cancelling loses no byte. \return a request for the Pdu. Errors as
  /// `readv()`, and:
  ///  - ENOTSUP: a stream of bytes without borders
  ///  - EPROTO: an interrupted read has returned bytes, whose borders are lost; other reads get them
  ///  - ENOMEM
  Request<Pdu> read_message(CallSite site = CallSite::current()) { return begin_message(nullptr, site); }
  /// As above, when its turn in the queue comes.
  Request<Pdu> read_message(Queue& queue, CallSite site = CallSite::current()) {
    return begin_message(&queue, site);
  }

  /// Writes all bytes of all vectors. Completes when the kernel (or the layer below) has taken the last byte.
  /// Cancelling: see the class. (tsocket: tstream_writev)
  /// \return a request for the total count. Errors as `readv()` and in its order, with EBUSY for a write in
  /// flight and the latched write error; besides:
  ///  - ENOBUFS: above the cap of `set_watermarks()`
  ///  - EPIPE: after `shutdown_write()`
  Request<ssize_t> writev(std::span<const iovec> vectors, CallSite site = CallSite::current()) {
    return Request<ssize_t>(begin_writev(vectors, site));
  }
  /// As above, when its turn in the queue comes. Consecutive writes of a queue leave in one system call.
  Request<ssize_t> writev(Queue& queue, std::span<const iovec> vectors, CallSite site = CallSite::current()) {
    return Request<ssize_t>(begin_writev(queue, vectors, site));
  }
  /// As above, for bytes and text in a list: `stream.writev({header, body, "\n"})`. Nothing is copied, so the
  /// list must not have temporaries that own their bytes.
  Request<ssize_t> writev(std::initializer_list<ByteView> parts, CallSite site = CallSite::current());
  /// As above, when its turn in the queue comes.
  Request<ssize_t> writev(Queue& queue, std::initializer_list<ByteView> parts,
                          CallSite site = CallSite::current());
  /// Writes one message, so that `readv_pdu()` with the same framing reads `body`: one gathered write of the
  /// header, which the request owns, and the body, which stays the caller's as with `write()`. Not copied.
  /// \return a request for the size of the message on the wire. Errors as `writev()`, and:
  ///  - EMSGSIZE: a body outside the framing's limits
  ///  - EINVAL: an unusable framing; a body that the reader would cut elsewhere, as it has the delimiter in
  ///  it,
  ///    or for lines a CR at its end
  ///  - ENOTSUP: `framing::dcerpc`, whose header has more than a length: write the fragment
  template <detail::WritableFraming F>
  Request<ssize_t> write_pdu(const F& framing, ByteView body, CallSite site = CallSite::current()) {
    return write_framed(nullptr, detail::frame_of(framing, body.bytes()), body, site);
  }
  /// As above, when its turn in the queue comes.
  template <detail::WritableFraming F>
  Request<ssize_t> write_pdu(Queue& queue, const F& framing, ByteView body,
                             CallSite site = CallSite::current()) {
    return write_framed(&queue, detail::frame_of(framing, body.bytes()), body, site);
  }
  /// Writes a temporary as the body, which the request owns as with `write()`; of a Pdu its body.
  template <detail::WritableFraming F, OwnedBytes Bytes>
  Request<ssize_t> write_pdu(const F& framing, Bytes&& body, CallSite site = CallSite::current()) {
    const detail::Frame frame = detail::frame_of(framing, detail::body_of(body));
    return write_framed(nullptr, frame, std::forward<Bytes>(body), site);
  }
  /// As above, when its turn in the queue comes.
  template <detail::WritableFraming F, OwnedBytes Bytes>
  Request<ssize_t> write_pdu(Queue& queue, const F& framing, Bytes&& body,
                             CallSite site = CallSite::current()) {
    const detail::Frame frame = detail::frame_of(framing, detail::body_of(body));
    return write_framed(&queue, frame, std::forward<Bytes>(body), site);
  }
  template <detail::WritableFraming F, DanglingBytes Bytes>
  Request<ssize_t> write_pdu(const F& framing, Bytes&& body, CallSite site = CallSite::current()) = delete;
  template <detail::WritableFraming F, DanglingBytes Bytes>
  Request<ssize_t> write_pdu(Queue& queue, const F& framing, Bytes&& body,
                             CallSite site = CallSite::current()) = delete;
  /// `writev()` with one buffer: bytes or text. No byte, also a null C string, gives EINVAL.
  Request<ssize_t> write(ByteView bytes, CallSite site = CallSite::current());
  /// As above, when its turn in the queue comes.
  Request<ssize_t> write(Queue& queue, ByteView bytes, CallSite site = CallSite::current());
  /// Writes a temporary `std::string`, `std::vector<std::byte>` or Pdu, which the request owns until it is
  /// destroyed. Nothing is copied. If there is no memory for the request, the value stays with the caller.
  /// Other temporaries that own their bytes do not compile.
  template <OwnedBytes Bytes>
  Request<ssize_t> write(Bytes&& bytes, CallSite site = CallSite::current()) {
    if constexpr (std::same_as<Bytes, Pdu>) {
      return Request<ssize_t>(begin_pdu_write(bytes, site));
    } else {
      return write_owned(nullptr, std::forward<Bytes>(bytes), site);
    }
  }
  /// As above, when its turn in the queue comes.
  template <OwnedBytes Bytes>
  Request<ssize_t> write(Queue& queue, Bytes&& bytes, CallSite site = CallSite::current()) {
    if constexpr (std::same_as<Bytes, Pdu>) {
      return Request<ssize_t>(begin_pdu_write(queue, bytes, site));
    } else {
      return write_owned(&queue, std::forward<Bytes>(bytes), site);
    }
  }
  template <DanglingBytes Bytes>
  Request<ssize_t> write(Bytes&& bytes, CallSite site = CallSite::current()) = delete;
  template <DanglingBytes Bytes>
  Request<ssize_t> write(Queue& queue, Bytes&& bytes, CallSite site = CallSite::current()) = delete;
  /// `writev()` that also passes file descriptors, with the first byte (SCM_RIGHTS, unix(7)). The descriptors
  /// stay the caller's and must stay open until the completion. Errors besides: ENOTSUP on streams other than
  /// unix sockets, EINVAL for more than 253.
  Request<ssize_t> writev_with_fds(std::span<const iovec> vectors, std::span<const int> fds,
                                   CallSite site = CallSite::current());
  /// The descriptors received with the bytes read so far, in order; needs StreamOptions::receive_fds. None is
  /// lost silently: a read fails before the bytes whose descriptors are lost, and those of earlier bytes can
  /// still be taken:
  ///  - ETOOMANYREFS: more than StreamOptions::max_received_fds wait here
  ///  - EMFILE: the system dropped some because the process has no descriptor left
  ///
  /// Throws std::bad_alloc if there is no memory; the descriptors are then still here.
  std::vector<UniqueFd> take_received_fds();

  /// Bytes that can be read without waiting; at least what was read ahead. If 0, `err` is the error that the
  /// next read would give: ENOTCONN, the latched or pending error of the connection, or 0. (tsocket:
  /// tstream_pending_bytes)
  [[nodiscard]] std::size_t pending_bytes(int& err);

  /// Ends the stream in order: sends the layer's goodbye and closes, down to the lowest layer. Written bytes
  /// arrive as long as the peer lives: if bytes of the peer are unread, or some of ours unsent, the stream
  /// lingers, that is, it ends its sending side and reads and discards until the peer ends its own. Otherwise
  /// nothing waits. `transferred()` is the number of bytes discarded. A monitor completes with ECONNABORTED,
  /// as do other operations until the completion is delivered. Cancelling or destroying closes at once.
  /// (tsocket: tstream_disconnect)
  /// Errors that change nothing:
  ///  - EBUSY: a read or write is in flight or waits in a queue
  ///  - EALREADY: a disconnect is in progress
  ///  - ENOTCONN: the stream is closed
  ///
  /// Errors after which the stream is closed, but bytes may have been cut off:
  ///  - ETIMEDOUT: the linger time expired
  ///  - ENOBUFS: more came than may be discarded
  ///  - ECONNRESET and the like: the connection broke meanwhile
  ///  - ENOMEM: no memory to wait with
  Request<void> disconnect(const DisconnectOptions& options = {}, CallSite site = CallSite::current()) &;
  /// As above, for a stream that its owner no longer needs: the request owns it until the end. Started writes
  /// go out first, within the linger time (ETIMEDOUT). Everything else in flight completes with ECANCELED, a
  /// pump included, and what a pump held returns to its source. `std::move(stream).disconnect().detach()`
  /// finishes, closes and forgets.
  Request<void> disconnect(const DisconnectOptions& options = {}, CallSite site = CallSite::current()) &&;
  /// As above; what waits in the queue goes out first, too.
  Request<void> disconnect(Queue&& queue, const DisconnectOptions& options = {},
                           CallSite site = CallSite::current()) &&;
  /// Completes when the connection breaks, never with success; unread bytes can still be read. A stream that
  /// cannot see a break reports it when another operation meets it. (tsocket: tstream_monitor) Errors:
  ///  - EPIPE: the peer ended its side
  ///  - ECONNRESET and the like: the connection is gone
  ///  - ECONNABORTED: this stream is being disconnected
  ///  - EALREADY: a monitor is in flight
  Request<void> monitor(CallSite site = CallSite::current());
  /// Ends the sending side (half-close) after the writes in flight; reading goes on. Cancelling before it
  /// takes effect leaves the side open. Errors:
  ///  - ECONNABORTED, ENOTCONN, EALREADY
  ///  - the latched write error
  ///  - ENOTSUP: a transport without half-close
  Request<void> shutdown_write(CallSite site = CallSite::current());
  /// As above, after the writes that are in the queue.
  Request<void> shutdown_write(Queue& queue, CallSite site = CallSite::current());
  /// Closes at once; a TCP peer sees a reset. Requests in progress complete with ECONNABORTED.
  void abort() noexcept;

  /// Bytes of writes that have not left yet, writes in queues included.
  [[nodiscard]] std::size_t queued_bytes() const noexcept;
  /// Calls `function` from the loop when `queued_bytes()` reaches the high mark, and again when it falls to
  /// the low one. Replaces earlier marks; an empty function only sets the cap.
  void set_watermarks(const WriteWatermarks& marks, WatermarkFunction function);

  /// Changes options of the open stream. Options that only matter before connecting are ignored, as are
  /// options that are not given (`nodelay` counts as given on TCP sockets only). Options of the stream itself
  /// (`fail_on_first_error`, `strict_tsocket`, `max_read_ahead`) are set in any case.
  /// \return 0 or an errno value:
  ///  - ENOTCONN
  ///  - ENOTSUP: a given option that the stream cannot have, such as keepalive, buffer sizes or `receive_fds`
  ///    without a socket
  ///  - what setsockopt(2) gives
  int set_options(const StreamOptions& options);
  [[nodiscard]] Address local_address() const;
  [[nodiscard]] Address remote_address() const;
  /// The process at the other end of a unix stream. ENOTSUP for other streams, ENOTCONN when closed.
  [[nodiscard]] PeerCredentials peer_credentials(int& err) const;
  /// What the kernel knows of the TCP connection: round-trip time, retransmissions, bytes acknowledged.
  /// Layers, such as TLS, answer for the connection below. Errors, with an empty result:
  ///  - ENOTCONN: the stream is closed
  ///  - ENOTSUP: no TCP connection, or a system without this
  ///  - what getsockopt(2) gives
  [[nodiscard]] TcpInfo tcp_info(int& err) const;
  /// The socket below, still owned by the stream; `invalid_socket` for streams that have none or hide it.
  [[nodiscard]] NativeSocket native_handle() const noexcept;
  /// Gives the socket away and closes this stream. `unread` receives the bytes that were read ahead of the
  /// caller; they precede what the socket gives next. A monitor completes with ECONNABORTED, as for
  /// `disconnect()`. Errors:
  ///  - EBUSY: a read, write or half-close is in flight or waits in a queue
  ///  - ECONNABORTED: a disconnect is in progress
  ///  - ENOTCONN: the stream is closed
  ///  - ENOTSUP: a stream without a socket
  UniqueSocket release_socket(std::vector<std::byte>& unread, int& err);

 private:
  friend class StreamAccess;
  // The calls made for every message return the state in a register; the Request is made at the caller.
  detail::RequestState* begin_u32be(detail::PrefixFormat format, CallSite site);
  detail::RequestState* begin_prefixed(detail::PrefixFormat format, CallSite site, Queue* queue);
  detail::RequestState* begin_writev(std::span<const iovec> vectors, CallSite site);
  detail::RequestState* begin_message_writev(Queue* queue, std::span<const iovec> vectors, CallSite site);
  detail::RequestState* begin_writev_in_general(Queue* queue, std::span<const iovec> vectors, CallSite site);
  detail::RequestState* begin_pdu_write(Pdu& pdu, CallSite site);
  detail::RequestState* begin_pdu_write(Queue& queue, Pdu& pdu, CallSite site);
  detail::RequestState* begin_pdu_write_in_general(Queue* queue, Pdu& pdu, CallSite site);
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
    return Request<Pdu>(format.is_u32be() && queue == nullptr ? begin_u32be(format, site)
                                                              : begin_prefixed(format, site, queue));
  }
  template <MeasuringFraming F>
  Request<Pdu> readv_measured(Queue* queue, F framing, CallSite site) {
    Loop* const on = loop_or_null();
    if (on == nullptr) return {};
    const std::size_t max_message = framing.max_message;
    return begin_measured(queue, detail::measure_function(*on, std::move(framing)), max_message, site);
  }
  Request<Pdu> begin_measured(Queue* queue, detail::InlineFunction measure, std::size_t max_message,
                              CallSite site);
  Request<Pdu> begin_message(Queue* queue, CallSite site);
  Request<Pdu> readv_framed(Queue* queue, const Framing& framing, CallSite site);
  Request<ssize_t> start_write(Queue* queue, std::span<const iovec> vectors, std::span<const int> fds,
                               CallSite site);
  Request<ssize_t> start_write(detail::StreamWrite& state, Queue* queue, std::span<const iovec> vectors,
                               std::span<const int> fds);
  Request<ssize_t> write_owned(Queue* queue, std::string&& text, CallSite site);
  Request<ssize_t> write_owned(Queue* queue, std::vector<std::byte>&& bytes, CallSite site);
  Request<ssize_t> write_framed(Queue* queue, const detail::Frame& frame, ByteView body, CallSite site);
  Request<ssize_t> write_framed(Queue* queue, const detail::Frame& frame, std::string&& body, CallSite site);
  Request<ssize_t> write_framed(Queue* queue, const detail::Frame& frame, std::vector<std::byte>&& body,
                                CallSite site);
  Request<ssize_t> write_framed(Queue* queue, const detail::Frame& frame, Pdu&& body, CallSite site);
  Request<ssize_t> start_framed(detail::StreamWrite& state, Queue* queue, std::span<const iovec> vectors,
                                int err);

  detail::EnginePlace<detail::StreamCore> place_;
};

}  // namespace tsock::inline v0
