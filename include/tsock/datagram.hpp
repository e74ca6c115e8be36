#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <tsock/address.hpp>
#include <tsock/buffer.hpp>
#include <tsock/byte_view.hpp>
#include <tsock/call_site.hpp>
#include <tsock/datagram_backend.hpp>
#include <tsock/datagram_capabilities.hpp>
#include <tsock/datagram_options.hpp>
#include <tsock/detail/checked_loop.hpp>
#include <tsock/detail/engine_place.hpp>
#include <tsock/export.hpp>
#include <tsock/native_socket.hpp>
#include <tsock/owned_bytes.hpp>
#include <tsock/queue.hpp>
#include <tsock/received_datagram.hpp>
#include <tsock/request.hpp>
#include <tsock/send_from.hpp>
#include <tsock/unique_socket.hpp>
#include <utility>
#include <vector>

namespace tsock::inline v0 {

class Loop;

namespace detail {
class DatagramCore;
class SendtoState;
}  // namespace detail

/// A datagram to send with `Datagram::send_many()`.
struct OutgoingDatagram {
  std::span<const std::byte> bytes;
  Address destination;  ///< empty: the address that the socket is connected to
  SendFrom from{};      ///< empty: the socket's own address
};

/// A socket for datagrams: UDP, unix, or a user-defined backend.
///
/// One recvfrom and one sendto can be in flight; a second of the same kind completes with EBUSY. A Queue
/// holds more sends. Each request moves one whole datagram; zero-length ones are legal both ways. An error
/// concerns one datagram and never ends the socket. The library takes several waiting datagrams from the
/// kernel at once and serves later requests from them, and sends of a queue leave in one system call; neither
/// changes what the caller sees.
///
/// A Datagram may be moved and destroyed at any time, also in callbacks; requests in progress then complete
/// with ECANCELED on the next turn.
class TSOCK_EXPORT Datagram {
 public:
  /// No socket, and no loop to complete on: operations return an empty Request. (On a moved-from one they
  /// complete with ENOTCONN.)
  Datagram() noexcept = default;
  /// For implementers: puts a front on a backend. Throws std::bad_alloc if there is no memory; the backend
  /// then stays with the caller.
  Datagram(Loop& loop, std::unique_ptr<DatagramBackend>&& backend, const DatagramOptions& options = {});
  Datagram(Datagram&& other) noexcept;
  Datagram& operator=(Datagram&& other) noexcept;
  Datagram(const Datagram&) = delete;
  Datagram& operator=(const Datagram&) = delete;
  ~Datagram();

  /// A UDP socket bound to `local`. With a `remote` that is not empty it is connected: it receives from there
  /// only, and sends there without a destination. The wildcard with port 0 is not bound if there is a remote
  /// (the kernel chooses); a wildcard takes the remote's family. On failure the Datagram is empty and `err`
  /// is EINVAL for addresses that are not inet or do not fit, else what socket(2), bind(2) or connect(2)
  /// give. (tsocket: tdgram_inet_udp_socket)
  static Datagram udp(Loop& loop, const Address& local, const Address& remote, const DatagramOptions& options,
                      int& err);
  /// A unix datagram socket. An unnamed or empty `local` is not bound, and cannot be answered.
  /// `DatagramOptions::stale_socket` decides about a path that exists. Errors (tsocket: tdgram_unix_socket):
  ///  - EINVAL: other addresses, or `broadcast`
  ///  - EADDRINUSE
  ///  - what bind(2) and connect(2) give, such as ENOENT and ECONNREFUSED for a remote that is not there
  static Datagram unix_datagram(Loop& loop, const Address& local, const Address& remote,
                                const DatagramOptions& options, int& err);
  /// Two connected unix datagram sockets without names. On failure both are empty and `err` is what
  /// socketpair(2) gives.
  static std::pair<Datagram, Datagram> socketpair(Loop& loop, const DatagramOptions& options, int& err);
  static std::pair<Datagram, Datagram> socketpair(Loop& loop, int& err) { return socketpair(loop, {}, err); }
  /// Takes over a datagram socket: makes it non-blocking and close-on-exec, and moves it to descriptor 3 or
  /// above. On failure the socket stays in `socket`. Errors:
  ///  - EBADF, ENOTSOCK
  ///  - EPROTOTYPE: not a datagram socket
  ///  - EAFNOSUPPORT
  static Datagram adopt(Loop& loop, UniqueSocket& socket, const DatagramOptions& options, int& err);
  /// What this system offers; asks the kernel on each call.
  static DatagramCapabilities capabilities() noexcept;

  /// True for a socket that is neither closed nor moved from.
  [[nodiscard]] bool is_open() const noexcept;
  explicit operator bool() const noexcept { return is_open(); }
  /// The socket's loop, also after it was closed or moved from. Throws std::logic_error on a default
  /// constructed one, which has none.
  [[nodiscard]] Loop& loop() const { return detail::checked_loop(loop_or_null()); }

  /// Receives one datagram into memory of exactly its size; it is never cut off. An interrupted request loses
  /// no datagram. (tsocket: tdgram_recvfrom) Errors, in the order of the checks:
  ///  - EBUSY: a recvfrom is in flight
  ///  - ENOTCONN: the socket is closed
  ///  - the socket's pending error, such as ECONNREFUSED on a connected socket, once
  Request<ReceivedDatagram> recvfrom(CallSite site = CallSite::current());
  /// Receives one datagram into the caller's buffer, which must live until completion or until the Request is
  /// destroyed. A datagram that does not fit is cut off, and ReceivedInto::truncated() is true. Allocates no
  /// memory in steady state. Errors and interruption as above; an interrupted request returns its datagram
  /// whole, also one that was cut off.
  Request<ReceivedInto> recvfrom(std::span<std::byte> buffer, CallSite site = CallSite::current());
  /// Receives what has arrived, as far as one system call gives it: at least one datagram and at most `most`,
  /// in one vector. A vector of earlier datagrams may be passed in for its memory: it is emptied and used
  /// again, so that nothing is allocated in steady state. EINVAL if `most` is 0, otherwise errors as above.
  Request<std::vector<ReceivedDatagram>> recv_many(std::size_t most, CallSite site = CallSite::current()) {
    return recv_many(most, {}, site);
  }
  Request<std::vector<ReceivedDatagram>> recv_many(std::size_t most, std::vector<ReceivedDatagram> memory,
                                                   CallSite site = CallSite::current());

  /// Sends one datagram to `destination`, or to the connected address if that is empty. The bytes stay the
  /// caller's until completion or until the Request is destroyed. Cancelling takes back a datagram that has
  /// not left. (tsocket: tdgram_sendto)
  /// \return a request for the count. Errors, in the order of the checks:
  ///  - EMSGSIZE: too many vectors
  ///  - EINVAL: a destination of the wrong family, or no bytes with strict_tsocket
  ///  - EBUSY: a sendto is in flight
  ///  - ENOTCONN: the socket is closed
  ///  - what sendto(2) gives: EMSGSIZE too large, EDESTADDRREQ no receiver, ECONNREFUSED, ENETUNREACH ...
  ///
  /// `from` is the local address or the interface to leave by; an empty one changes nothing. A server bound
  /// to the wildcard thus answers from the address it was asked at, `datagram.info()->reply_from`
  /// (DatagramOptions::receive_info), instead of the one that the route to the client prefers. Errors
  /// besides:
  ///  - EINVAL: an address of another family than the socket's, or than the destination's on a socket for
  ///    both, or one that this host does not have
  ///  - ENODEV: no such interface
  ///  - ENOTSUP: a unix socket, or a backend without local addresses
  Request<ssize_t> sendto(ByteView bytes, const Address& destination = {}, const SendFrom& from = {},
                          CallSite site = CallSite::current());
  /// A datagram gathered from several vectors. The array is copied, the bytes stay the caller's.
  Request<ssize_t> sendto(std::span<const iovec> vectors, const Address& destination = {},
                          const SendFrom& from = {}, CallSite site = CallSite::current());
  /// As above, when its turn in the queue comes; sends of one turn leave in one system call. One that fails
  /// does not stop those behind it. Errors besides: EINVAL for a queue of another loop, ECANCELED when the
  /// queue or the socket is destroyed. (tsocket: tdgram_sendto_queue)
  Request<ssize_t> sendto(Queue& queue, ByteView bytes, const Address& destination = {},
                          const SendFrom& from = {}, CallSite site = CallSite::current());
  Request<ssize_t> sendto(Queue& queue, std::span<const iovec> vectors, const Address& destination = {},
                          const SendFrom& from = {}, CallSite site = CallSite::current());
  /// Sends a temporary `std::string`, `std::vector<std::byte>` or Pdu, which the request owns until it is
  /// destroyed. Other temporaries that own their bytes do not compile.
  template <OwnedBytes Bytes>
  Request<ssize_t> sendto(Bytes&& bytes, const Address& destination = {}, const SendFrom& from = {},
                          CallSite site = CallSite::current()) {
    return send_owned(nullptr, std::forward<Bytes>(bytes), destination, from, site);
  }
  /// As above, when its turn in the queue comes.
  template <OwnedBytes Bytes>
  Request<ssize_t> sendto(Queue& queue, Bytes&& bytes, const Address& destination = {},
                          const SendFrom& from = {}, CallSite site = CallSite::current()) {
    return send_owned(&queue, std::forward<Bytes>(bytes), destination, from, site);
  }
  template <DanglingBytes Bytes>
  Request<ssize_t> sendto(Bytes&& bytes, const Address& destination = {}, const SendFrom& from = {},
                          CallSite site = CallSite::current()) = delete;
  template <DanglingBytes Bytes>
  Request<ssize_t> sendto(Queue& queue, Bytes&& bytes, const Address& destination = {},
                          const SendFrom& from = {}, CallSite site = CallSite::current()) = delete;
  /// Sends several datagrams in as few system calls as possible. Ends at the first one that fails, with its
  /// error; `transferred()` is then the number before it, also after cancelling. The list is copied; the
  /// bytes stay the caller's until the end.
  /// \return a request for how many left. Errors:
  ///  - EINVAL: an empty list or a destination of the wrong family, before anything is sent
  ///  - those of `from`, EBUSY, ENOTCONN and the system's as `sendto()`
  Request<ssize_t> send_many(std::span<const OutgoingDatagram> datagrams,
                             CallSite site = CallSite::current());

  /// Closes the socket and drops what was read ahead. Cancelling comes too late. Errors: EBUSY when a request
  /// is in flight or waits in a queue, ENOTCONN when closed. (tsocket: tdgram_disconnect)
  Request<void> disconnect(CallSite site = CallSite::current());

  /// Datagrams that were read ahead of a recvfrom; 0 for unix sockets, which take one at a time.
  [[nodiscard]] std::size_t pending_datagrams() const noexcept;
  /// Datagrams dropped since the socket was made, because the kernel's receive queue was full or because
  /// there was no memory for what was read ahead. Stays readable after `disconnect()` and the loop's end. The
  /// kernel counts for UDP sockets only; a unix socket's sender waits instead.
  [[nodiscard]] std::uint64_t dropped() const noexcept;
  /// The bound address; unnamed for a unix socket that is not bound, empty when closed.
  [[nodiscard]] Address local_address() const;
  /// The connected address; empty when there is none.
  [[nodiscard]] Address remote_address() const;
  /// The socket below, still owned by this object; `invalid_socket` when there is none.
  [[nodiscard]] NativeSocket native_handle() const noexcept;

  /// Joins a multicast group on an interface (0: the kernel chooses), from any source or, with a `source`
  /// that is not empty, from that one only. Ports do not matter. \return 0 or an errno value:
  ///  - EINVAL: an address that is not a group, or of another family
  ///  - ENOTCONN: the socket is closed
  ///  - ENOTSUP: no socket below
  ///  - what setsockopt(2) gives: EADDRINUSE already joined, ENODEV no such interface
  ///
  /// On Linux a socket bound to the wildcard hears every group that anybody on the host has joined at its
  /// port; one bound to the group's address hears only that group.
  int join_multicast(const Address& group, unsigned interface_index = 0, const Address& source = {});
  /// Leaves what was joined with the same arguments. Errors as above; EADDRNOTAVAIL if it was not joined.
  int leave_multicast(const Address& group, unsigned interface_index = 0, const Address& source = {});

 private:
  Request<ssize_t> start_send(Queue* queue, std::span<const iovec> vectors, const Address& destination,
                              const SendFrom& from, CallSite site);
  Request<ssize_t> start_send(detail::SendtoState& state, Queue* queue, std::span<const iovec> vectors,
                              const Address& destination, const SendFrom& from);
  Request<ssize_t> send_owned(Queue* queue, std::string&& text, const Address& destination,
                              const SendFrom& from, CallSite site);
  Request<ssize_t> send_owned(Queue* queue, std::vector<std::byte>&& bytes, const Address& destination,
                              const SendFrom& from, CallSite site);
  Request<ssize_t> send_owned(Queue* queue, Pdu&& pdu, const Address& destination, const SendFrom& from,
                              CallSite site);

  [[nodiscard]] detail::DatagramCore* core() const noexcept { return place_.engine(); }
  [[nodiscard]] Loop* loop_or_null() const noexcept;

  detail::EnginePlace<detail::DatagramCore> place_;
};

}  // namespace tsock::inline v0
