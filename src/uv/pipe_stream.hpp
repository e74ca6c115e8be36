#pragma once

#include <span>
#include <tsock/stream_backend.hpp>
#include <tsock/unique_fd.hpp>

#include "uv/fd_watcher.hpp"
#include "uv/os/descriptor.hpp"

namespace tsock::inline v0::detail {

/// A pipe, fifo, terminal or device, by read(2) and write(2). libuv's streams are not used, because their
/// writes raise SIGPIPE.
class PipeStream final : public StreamBackend, private FdWatcher<PipeStream> {
 public:
  struct Source {
    UniqueFd fd;
    os::DescriptorKind kind = os::DescriptorKind::pipe;
    /// Other processes share the file description: its O_NONBLOCK is restored in the end.
    bool is_shared = false;
    /// The process' own descriptor, 0 to 2, which stays open beside `fd`; -1 for none.
    int kept = -1;
  };

  PipeStream(LoopImpl& loop, Source source) noexcept;
  ~PipeStream() override;

  /// Begins to watch the descriptor. \return 0 or an errno value.
  int open();

  void attach(StreamEvents& events) noexcept override { events_ = &events; }
  ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept override;
  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override;
  int try_shutdown_write() noexcept override;
  int try_disconnect(Linger& linger) noexcept override;
  void abort() noexcept override { close(); }
  Readiness want_readable() noexcept override;
  Readiness want_writable() noexcept override;
  void want_broken() noexcept override;
  std::size_t pending_bytes(int& err) noexcept override;
  [[nodiscard]] StreamTraits traits() const noexcept override;
  void watch_for_breaks(bool on) noexcept override { watches_breaks_ = on; }

 private:
  friend class FdWatcher<PipeStream>;
  void on_fd_event(FdEvent event);
  void close() noexcept;
  [[nodiscard]] std::span<const iovec> share(std::span<const iovec> vectors, iovec& room) const noexcept;

  Source source_;
  os::AccessMode access_;
  StreamEvents* events_ = nullptr;
  bool always_ready_ = false;  // a device that cannot be polled because it never waits
  bool restores_flag_ = false;
  bool wants_broken_ = false;
  bool watches_breaks_ = false;
};

}  // namespace tsock::inline v0::detail
