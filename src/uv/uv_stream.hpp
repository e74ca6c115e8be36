#pragma once

#include <uv.h>

#include <array>
#include <cstddef>
#include <span>
#include <tsock/stream_backend.hpp>
#include <tsock/unique_fd.hpp>
#include <tsock/uv_stream.hpp>

#include "core/loop/loop_core.hpp"
#include "uv/fd_watcher.hpp"

namespace tsock::inline v0::detail {

/// A libuv stream that was opened by the application or by uv_spawn, or a named pipe of Windows.
///
/// libuv reads by itself while reading is on, so there is one buffer, and reading is on only while a read
/// waits and the buffer is empty. Writes are tried directly; a duplicate of the descriptor is polled for
/// room, because libuv's own deferred writes raise SIGPIPE. Where it cannot be polled, libuv writes, and a
/// monitor reads up to one buffer ahead to see the end.
class UvStream : public StreamBackend, private FdWatcher<UvStream>, private ReadyTask {
 public:
  UvStream(LoopImpl& loop, uv_stream_t* handle, UvStreamOwnership ownership, std::size_t max_read_ahead);
  ~UvStream() override;
  /// Returns the handle to the application as it was.
  void give_back() noexcept;

  void attach(StreamEvents& events) noexcept override { events_ = &events; }
  ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept override;
  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override;
  int try_flush() noexcept override;
  [[nodiscard]] std::size_t unsent_bytes() const noexcept override { return unsent_; }
  int try_shutdown_write() noexcept override;
  int try_disconnect(Linger& linger) noexcept override;
  void abort() noexcept override;
  Readiness want_readable() noexcept override;
  Readiness want_writable() noexcept override;
  void want_broken() noexcept override;
  void unwant_broken() noexcept override;
  std::size_t pending_bytes(int& err) noexcept override;
  void watch_for_breaks(bool on) noexcept override;
  int apply(const StreamOptions& options) noexcept override;
  [[nodiscard]] Address local_address() const noexcept override;
  [[nodiscard]] Address remote_address() const noexcept override;
  int tcp_info(TcpInfo& info) const noexcept override;

 protected:
  /// `invalid_socket` when it is closed.
  [[nodiscard]] NativeSocket descriptor() const noexcept;

 private:
  friend class FdWatcher<UvStream>;
  struct Link;
  struct DeferredWrite;
  enum class Shutdown : unsigned char { none, running, ended };

  static void let_go(Link* link) noexcept;
  static void on_allocate(uv_handle_t* handle, std::size_t suggested, uv_buf_t* buffer);
  static void on_read(uv_stream_t* handle, ssize_t got, const uv_buf_t* buffer);
  static void on_shutdown(uv_shutdown_t* request, int status);
  static void on_deferred_write(uv_write_t* request, int status);

  [[nodiscard]] uv_stream_t* handle() const noexcept;
  [[nodiscard]] bool has_bytes() const noexcept { return begin_ != end_; }
  void received(ssize_t got);
  int start_reading() noexcept;
  void stop_unless_wanted() noexcept;
  void read_for_break() noexcept;
  [[nodiscard]] bool reads_for_break() const noexcept { return wants_broken_ && !is_watching(); }
  /// Reports a break that was seen before somebody asked.
  void run() override { report_break({}); }
  void free_buffer() noexcept;
  bool watch();
  int linger_on(Linger& linger);
  ssize_t defer_write(std::span<const iovec> vectors, int& err) noexcept;
  ssize_t fail_write(int status, int& err) noexcept;
  void note_connection_error(int err) noexcept;
  [[nodiscard]] int take_socket_error() const noexcept;
  [[nodiscard]] int why_not_connected() noexcept;
  void on_fd_event(FdEvent event);
  void report_break(FdEvent event);
  void close() noexcept;

  Link* link_;
  UniqueFd watched_;  // a duplicate: one loop watches a descriptor only once
  StreamEvents* events_ = nullptr;
  std::byte* buffer_ = nullptr;
  std::size_t buffer_size_ = 0;
  std::array<std::byte, 64> spare_{};  // the buffer when out of memory for one
  std::size_t next_buffer_size_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  int read_error_ = 0;
  int connection_error_ = 0;  // what broke the connection; the kernel reports it only once
  int write_error_ = 0;
  std::size_t unsent_ = 0;
  int shutdown_error_ = 0;
  Shutdown shutdown_ = Shutdown::none;
  bool ended_ = false;
  bool reading_ = false;
  bool write_deferred_ = false;
  bool wants_read_ = false;
  bool wants_write_ = false;
  bool wants_broken_ = false;
  bool watches_breaks_ = false;
  bool lingers_ = false;
};

}  // namespace tsock::inline v0::detail
