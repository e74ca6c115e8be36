#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <tsock/datagram_backend.hpp>
#include <tsock/datagram_options.hpp>
#include <tsock/request.hpp>
#include <tsock/unique_socket.hpp>
#include <utility>
#include <vector>

#include "uv/fd_watcher.hpp"
#include "uv/os/datagram_socket.hpp"
#include "uv/os/socket.hpp"
#include "uv/os/socket_file.hpp"

namespace tsock::inline v0::detail {

/// A UDP or unix datagram socket, allocated in the loop's pool.
class SocketDatagram final : public DatagramBackend,
                             public DatagramControl,
                             private FdWatcher<SocketDatagram> {
 public:
  /// \throws std::bad_alloc; `socket`, which is set up already, still owns the socket then
  static std::unique_ptr<SocketDatagram> make(LoopImpl& loop, UniqueSocket&& socket, int family,
                                              const DatagramOptions& options, bool adopted);
  ~SocketDatagram() override;
  // NOLINTNEXTLINE(misc-new-delete-overloads): `make()` has placed it
  static void operator delete(SocketDatagram* socket, std::destroying_delete_t) noexcept;

  int open() { return start_watching(socket_.get(), os::readable); }
  [[nodiscard]] UniqueSocket release_socket() noexcept;
  void set_connected() noexcept { connected_ = true; }
  /// As in SocketStream.
  void set_was_blocking(bool was_blocking) noexcept { was_blocking_ = was_blocking; }
  /// Sets the socket file that is removed in the end.
  void own_file(os::SocketFile file) noexcept { file_ = std::move(file); }
  /// Leaves the socket file in place in the end.
  void keep_file() noexcept { file_.reset(); }

  void attach(DatagramEvents& events) noexcept override { events_ = &events; }
  std::size_t try_receive(std::span<DatagramSlot> slots, int& err) noexcept override;
  std::size_t try_send(std::span<const DatagramMessage> messages, int& err) noexcept override;
  int try_disconnect() noexcept override;
  Readiness want_readable() noexcept override;
  Readiness want_writable() noexcept override;
  [[nodiscard]] int check_destination(const Address& destination) const noexcept override;
  [[nodiscard]] int check_from(const SendFrom& from, const Address& destination) const noexcept override;
  [[nodiscard]] bool gives_info() const noexcept override { return info_; }
  [[nodiscard]] Address local_address() const noexcept override { return os::local_address(socket_.get()); }
  [[nodiscard]] Address remote_address() const noexcept override { return os::remote_address(socket_.get()); }
  [[nodiscard]] std::uint64_t dropped() const noexcept override;
  [[nodiscard]] DatagramControl* datagram_control() noexcept override { return this; }

  [[nodiscard]] NativeSocket native_handle() const noexcept override { return socket_.get(); }
  int join(const Address& group, unsigned interface_index, const Address& source) noexcept override;
  int leave(const Address& group, unsigned interface_index, const Address& source) noexcept override;

 private:
  friend class FdWatcher<SocketDatagram>;
  SocketDatagram(LoopImpl& loop, UniqueSocket&& socket, int family, const DatagramOptions& options,
                 bool adopted) noexcept;
  void on_fd_event(FdEvent event);
  void close() noexcept;
  bool reserve_spill(std::size_t size) noexcept;
  void take_queued_error(int& err) noexcept;
  [[nodiscard]] bool is_unix() const noexcept { return family_ == Address::unix_unnamed().family(); }

  UniqueSocket socket_;
  DatagramEvents* events_ = nullptr;
  int family_;
  bool connected_ = false;
  bool was_blocking_ = false;
  bool info_;
  bool error_event_ = false;             // the kernel has reported a pending error
  bool blocked_by_destination_ = false;  // the message that was not sent names its receiver
  os::DatagramCalls calls_;
  Request<void> retry_;
  std::optional<os::SocketFile> file_;
  std::vector<std::byte> spill_;  // for the part of a unix datagram that exceeds the common room
};

}  // namespace tsock::inline v0::detail
