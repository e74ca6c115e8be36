#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <tsock/socket_control.hpp>
#include <tsock/stream_backend.hpp>
#include <tsock/unique_fd.hpp>
#include <vector>

#include "uv/fd_watcher.hpp"

namespace tsock::detail {

/// A stream socket: TCP or unix.
class SocketStream final : public StreamBackend, public SocketControl, private FdEvents {
 public:
  SocketStream(LoopImpl& loop, UniqueFd fd) noexcept;
  ~SocketStream() override;

  /// Begins to watch the socket, and to take descriptors in when told so. \return 0 or an errno value.
  int open(bool receive_fds);
  [[nodiscard]] FdWatcher& watcher() noexcept { return watcher_; }
  /// Takes the events back from whoever waited for the connection.
  void resume_events() noexcept { watcher_.set_events(*this); }

  void attach(StreamEvents& events) override { events_ = &events; }
  ssize_t try_readv(std::span<const iovec> vectors, int& err) override;
  ssize_t try_writev(std::span<const iovec> vectors, int& err) override;
  int try_shutdown_write() override;
  int try_disconnect() override;
  void abort() noexcept override;
  void want_readable() override;
  void want_writable() override;
  void want_broken() override;
  std::size_t pending_bytes(int& err) override;
  [[nodiscard]] StreamTraits traits() const noexcept override;
  void watch_for_breaks(bool on) override;
  [[nodiscard]] Address local_address() const override;
  [[nodiscard]] Address remote_address() const override;
  [[nodiscard]] SocketControl* socket_control() noexcept override { return this; }

  [[nodiscard]] int native_handle() const noexcept override { return fd_.get(); }
  UniqueFd release() noexcept override;
  int apply(const StreamOptions& options) override;
  int peer_credentials(PeerCredentials& credentials) const override;
  ssize_t try_writev_with_fds(std::span<const iovec> vectors, std::span<const int> fds, int& err) override;
  std::vector<UniqueFd> take_received_fds(std::uint64_t position) override;

 private:
  struct ReceivedFd {
    std::uint64_t position;  // of the byte that it came with
    UniqueFd fd;
  };
  /// What only sockets that take descriptors in need.
  struct FdReception {
    std::uint64_t position = 0;
    std::vector<ReceivedFd> received;
  };

  void on_fd_event(FdEvent event) override;
  void report_break(FdEvent event);
  ssize_t try_readv_with_fds(std::span<const iovec> vectors, int& err);
  ssize_t remember_failure(ssize_t result, int& err) noexcept;
  void close() noexcept;

  UniqueFd fd_;
  FdWatcher watcher_;
  StreamEvents* events_ = nullptr;
  std::unique_ptr<FdReception> reception_;
  int connection_error_ = 0;  // what broke the connection; the kernel tells it only once
  bool wants_broken_ = false;
  bool watches_breaks_ = false;
};

}  // namespace tsock::detail
