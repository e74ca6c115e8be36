#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tsock/address.hpp>
#include <tsock/buffer.hpp>
#include <tsock/datagram_info.hpp>
#include <tsock/export.hpp>
#include <tsock/native_socket.hpp>
#include <tsock/readiness.hpp>
#include <tsock/send_from.hpp>

namespace tsock::inline v0 {

class DatagramControl;

/// The events that a DatagramBackend reports to the Datagram in front of it.
class TSOCK_EXPORT DatagramEvents {
 public:
  /// `try_receive()` is worth a call. May come without need.
  virtual void on_readable() noexcept = 0;
  /// A send that gave EAGAIN is worth repeating.
  virtual void on_writable() noexcept = 0;

 protected:
  ~DatagramEvents() = default;
};

/// Room for one received datagram.
struct DatagramSlot {
  /// Filled in order; the first two hold 64 KiB. For larger datagrams a backend puts room of its own into the
  /// third, which must stay until the next `try_receive()`.
  std::array<iovec, 3> room{};
  std::size_t size = 0;  ///< out: bytes received
  std::size_t segment =
      0;  ///< out: not 0 when these are several datagrams of this size each, the last one may be shorter
  Address source;                ///< out
  DatagramInfo* info = nullptr;  ///< out, when not null
};

/// One datagram to send.
struct DatagramMessage {
  std::span<const iovec> vectors;
  const Address* destination = nullptr;  ///< null: the address that the socket is connected to
  const SendFrom* from = nullptr;        ///< null: the socket's address; checked by `check_from()`
};

/// The interface behind a Datagram; the rules are those of StreamBackend.
class TSOCK_EXPORT DatagramBackend {
 public:
  DatagramBackend() = default;
  DatagramBackend(const DatagramBackend&) = delete;
  DatagramBackend& operator=(const DatagramBackend&) = delete;
  /// Closes at once.
  virtual ~DatagramBackend() = default;

  /// Called once, before anything else. `events` outlives the backend.
  virtual void attach(DatagramEvents& events) noexcept = 0;
  /// Receives up to `slots.size()` datagrams. \return how many, more than 0; or 0 with `err`, EAGAIN if none
  /// has arrived.
  virtual std::size_t try_receive(std::span<DatagramSlot> slots, int& err) noexcept = 0;
  /// Sends datagrams, from the first one on. \return how many were sent; if 0, `err` is the error of the
  /// first one. EAGAIN leaves it to be tried again; any other value concerns that datagram alone.
  virtual std::size_t try_send(std::span<const DatagramMessage> messages, int& err) noexcept = 0;
  /// Closes. \return 0, EAGAIN, or an errno value.
  virtual int try_disconnect() noexcept = 0;

  /// Asks for one `on_readable()`, unless another call is already worth it.
  [[nodiscard]] virtual Readiness want_readable() noexcept = 0;
  /// Asks for one `on_writable()`, unless another call is already worth it.
  [[nodiscard]] virtual Readiness want_writable() noexcept = 0;

  /// Whether an address can be sent to: 0 or EINVAL.
  [[nodiscard]] virtual int check_destination(const Address& /*destination*/) const noexcept { return 0; }
  /// Whether a datagram to `destination` (empty: the connected address) can be sent from there: 0, EINVAL, or
  /// ENOTSUP if the backend has no such choice.
  [[nodiscard]] virtual int check_from(const SendFrom& /*from*/,
                                       const Address& /*destination*/) const noexcept;
  /// Whether `try_receive()` fills DatagramSlot::info.
  [[nodiscard]] virtual bool gives_info() const noexcept { return false; }
  [[nodiscard]] virtual Address local_address() const noexcept { return {}; }
  [[nodiscard]] virtual Address remote_address() const noexcept { return {}; }
  /// Datagrams that were dropped before they got here, as far as known.
  [[nodiscard]] virtual std::uint64_t dropped() const noexcept { return 0; }
  /// What only sockets have; null otherwise.
  [[nodiscard]] virtual DatagramControl* datagram_control() noexcept { return nullptr; }
};

/// What a datagram backend offers if there is a socket directly below it. Functions return 0 or an errno
/// value.
class TSOCK_EXPORT DatagramControl {
 public:
  /// The socket, still owned by the backend; `invalid_socket` once closed.
  [[nodiscard]] virtual NativeSocket native_handle() const noexcept = 0;
  /// As `Datagram::join_multicast()` and `leave_multicast()`; an empty `source` is any.
  virtual int join(const Address& group, unsigned interface_index, const Address& source) noexcept = 0;
  virtual int leave(const Address& group, unsigned interface_index, const Address& source) noexcept = 0;

 protected:
  ~DatagramControl() = default;
};

}  // namespace tsock::inline v0
