#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <tsock/socket_control.hpp>
#include <tsock/stream_options.hpp>
#include <tsock/unique_fd.hpp>
#include <tsock/unique_socket.hpp>
#include <vector>

#include "uv/fd_watcher.hpp"
#include "uv/os/socket.hpp"
#include "uv/socket_reception.hpp"

namespace tsock::inline v0::os {
struct PipeEnds;
}

namespace tsock::inline v0::detail {

/// A TCP or unix stream socket, or a unix socket with message borders, allocated in the loop's pool.
class SocketStream final : public SocketControl, private FdWatcher<SocketStream> {
 public:
  /// Makes a stream of a socket of that type and watches the socket, with the handle of `watch` if that is
  /// given. On failure it returns null, and `socket` keeps the socket.
  static std::unique_ptr<SocketStream> make(LoopImpl& loop, UniqueSocket& socket, os::SocketType type,
                                            const StreamOptions& options, int& err,
                                            FdWatch* watch = nullptr) noexcept;
  ~SocketStream() override;
  /// Notes whether the socket was blocking; it is made blocking again when it is closed or given away.
  void set_was_blocking(bool was_blocking) noexcept { was_blocking_ = was_blocking; }
  // NOLINTNEXTLINE(misc-new-delete-overloads): `make()` has placed it
  static void operator delete(SocketStream* socket, std::destroying_delete_t) noexcept;

  void attach(StreamEvents& events) noexcept override { events_ = &events; }
  ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept override;
  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override;
  int try_shutdown_write() noexcept override;
  int try_disconnect(Linger& linger) noexcept override;
  void abort() noexcept override;
  Readiness want_readable() noexcept override;
  Readiness want_writable() noexcept override;
  void want_broken() noexcept override;
  std::size_t pending_bytes(int& err) noexcept override;
  [[nodiscard]] std::string_view reason() const noexcept override;
  [[nodiscard]] StreamTraits traits() const noexcept override;
  void watch_for_breaks(bool on) noexcept override;
  [[nodiscard]] Address local_address() const noexcept override;
  [[nodiscard]] Address remote_address() const noexcept override;
  int tcp_info(TcpInfo& info) const noexcept override;

  /// As `try_readv()` and `try_writev()`, through a pipe.
  ssize_t try_move_into(const os::PipeEnds& pipe, std::size_t most, int& err) noexcept;
  ssize_t try_move_out_of(const os::PipeEnds& pipe, std::size_t bytes, int& err) noexcept;
  /// Whether it has neither descriptors that come with bytes nor borders between them.
  [[nodiscard]] bool is_plain() const noexcept { return reception_ == nullptr; }
  [[nodiscard]] bool has_borders() const noexcept { return messages() != nullptr; }

  [[nodiscard]] NativeSocket native_handle() const noexcept override { return socket_.get(); }
  [[nodiscard]] std::span<const std::byte> kept_bytes() const noexcept override;
  UniqueSocket release_socket() noexcept override;
  int apply(const StreamOptions& options) noexcept override;
  int peer_credentials(PeerCredentials& credentials) const noexcept override;
  ssize_t try_writev_with_fds(std::span<const iovec> vectors, std::span<const int> fds,
                              int& err) noexcept override;
  int take_received_fds(std::size_t unread, std::vector<UniqueFd>& taken) noexcept override;

 private:
  friend class FdWatcher<SocketStream>;
  explicit SocketStream(LoopImpl& loop) noexcept : FdWatcher(loop) {}
  void on_fd_event(FdEvent event);
  void on_fd_readable() { events_->on_readable(); }
  void report_break(FdEvent event);
  int make_reception(os::SocketType type, const StreamOptions& options) noexcept;
  ssize_t receive(std::span<const iovec> vectors, int& err);
  ssize_t receive_with_fds(std::span<const iovec> vectors, int& err);
  ssize_t receive_message(std::span<const iovec> vectors, int& err);
  std::size_t pending_message(int& err) noexcept;
  [[nodiscard]] MessageReception* messages() const noexcept {
    return reception_ != nullptr && reception_->messages ? &*reception_->messages : nullptr;
  }
  /// One who waits for bytes need not wait for an event when some were kept.
  void note_kept() noexcept { has_kept_ = !kept_bytes().empty(); }
  ssize_t read_nothing(ssize_t result, int& err) noexcept;
  /// Keeps what broke the connection: the kernel reports it only once, and later calls get it from here.
  ssize_t remember_failure(ssize_t result, int& err) noexcept {
    if (result < 0 && err != EAGAIN) remember(err);
    return result;
  }
  void remember(int& err) noexcept;
  void note_connection_error(int err) noexcept {
    if (connection_error_ == 0) connection_error_ = static_cast<std::int16_t>(err);
  }
  void close() noexcept;

  // Small members first, to save padding: many of these streams are idle.
  bool wants_broken_ : 1 = false;
  bool watches_breaks_ : 1 = false;
  bool was_blocking_ : 1 = false;  // to be restored, for others who have the socket
  bool lingers_ : 1 = false;
  bool has_kept_ : 1 = false;          // see MessageReader
  std::int16_t connection_error_ = 0;  // what broke the connection; the kernel reports it only once
  UniqueSocket socket_;
  StreamEvents* events_ = nullptr;
  std::unique_ptr<SocketReception> reception_;  // null for most
};

}  // namespace tsock::inline v0::detail
