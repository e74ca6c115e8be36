#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <tsock/socket_control.hpp>
#include <tsock/stream_options.hpp>
#include <tsock/unique_fd.hpp>
#include <tsock/unique_socket.hpp>
#include <vector>

#include "uv/fd_watcher.hpp"

namespace tsock::inline v0::os {
struct PipeEnds;
}

namespace tsock::inline v0::detail {

/// A TCP or unix stream socket, allocated in the loop's pool.
class SocketStream final : public SocketControl, private FdWatcher<SocketStream> {
 public:
  /// Makes a stream of a socket and watches the socket, with the handle of `watch` if that is given. On
  /// failure it returns null, and `socket` keeps the socket.
  static std::unique_ptr<SocketStream> make(LoopImpl& loop, UniqueSocket& socket,
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
  [[nodiscard]] StreamTraits traits() const noexcept override;
  void watch_for_breaks(bool on) noexcept override;
  [[nodiscard]] Address local_address() const noexcept override;
  [[nodiscard]] Address remote_address() const noexcept override;
  int tcp_info(TcpInfo& info) const noexcept override;

  /// As `try_readv()` and `try_writev()`, through a pipe.
  ssize_t try_move_into(const os::PipeEnds& pipe, std::size_t most, int& err) noexcept;
  ssize_t try_move_out_of(const os::PipeEnds& pipe, std::size_t bytes, int& err) noexcept;
  [[nodiscard]] bool receives_fds() const noexcept { return reception_ != nullptr; }

  [[nodiscard]] NativeSocket native_handle() const noexcept override { return socket_.get(); }
  UniqueSocket release_socket() noexcept override;
  int apply(const StreamOptions& options) noexcept override;
  int peer_credentials(PeerCredentials& credentials) const noexcept override;
  ssize_t try_writev_with_fds(std::span<const iovec> vectors, std::span<const int> fds,
                              int& err) noexcept override;
  int take_received_fds(std::size_t unread, std::vector<UniqueFd>& taken) noexcept override;

 private:
  friend class FdWatcher<SocketStream>;
  struct ReceivedFd {
    std::uint64_t position;  // of the byte that the descriptor came with
    UniqueFd fd;
  };
  /// Members that only sockets with `receive_fds` need.
  struct FdReception {
    std::size_t most;  // how many may wait to be taken
    std::uint64_t position = 0;
    std::vector<ReceivedFd> received;
  };

  explicit SocketStream(LoopImpl& loop) noexcept : FdWatcher(loop) {}
  void on_fd_event(FdEvent event);
  void on_fd_readable() { events_->on_readable(); }
  void report_break(FdEvent event);
  int receive_fds(const StreamOptions& options) noexcept;
  ssize_t try_readv_with_fds(std::span<const iovec> vectors, int& err);
  ssize_t read_nothing(ssize_t result, int& err) noexcept;
  ssize_t remember_failure(ssize_t result, int& err) noexcept;
  void note_connection_error(int err) noexcept {
    if (connection_error_ == 0) connection_error_ = static_cast<std::int16_t>(err);
  }
  void close() noexcept;

  // Small members first, to save padding: many of these streams are idle.
  bool wants_broken_ : 1 = false;
  bool watches_breaks_ : 1 = false;
  bool was_blocking_ : 1 = false;  // to be restored, for others who have the socket
  bool lingers_ : 1 = false;
  std::int16_t connection_error_ = 0;  // what broke the connection; the kernel reports it only once
  UniqueSocket socket_;
  StreamEvents* events_ = nullptr;
  std::unique_ptr<FdReception> reception_;
};

}  // namespace tsock::inline v0::detail
