#pragma once

#include <string>
#include <tsock/stream.hpp>
#include <tsock/stream_backend.hpp>
#include <tsock/unique_fd.hpp>

#include "uv/fd_watcher.hpp"

namespace tsock::test {

/// Reads a regular file that somebody else writes, as a pipe is read: at the end of the file it waits for
/// more, and the stream ends when the writer closes.
class TailStream final : public StreamBackend, private detail::FdWatcher<TailStream> {
 public:
  /// Before the writer closes; the file must exist. Fails the test otherwise.
  TailStream(Loop& loop, const std::string& path);

  void attach(StreamEvents& events) noexcept override { events_ = &events; }
  ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept override;
  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override;
  int try_shutdown_write() noexcept override;
  int try_disconnect(Linger& linger) noexcept override;
  void abort() noexcept override { stop_watching(); }
  Readiness want_readable() noexcept override { return await_readable(); }
  Readiness want_writable() noexcept override { return Readiness::now; }
  void want_broken() noexcept override {}
  std::size_t pending_bytes(int& err) noexcept override;

 private:
  friend class detail::FdWatcher<TailStream>;
  void on_fd_event(detail::FdEvent event) noexcept;
  void take_changes() noexcept;

  UniqueFd file_;
  UniqueFd changes_;  // of the file, as inotify(7) tells them
  StreamEvents* events_ = nullptr;
  bool writer_closed_ = false;
};

}  // namespace tsock::test
