#pragma once

#include <span>
#include <tsock/stream_backend.hpp>
#include <tsock/unique_fd.hpp>

#include "core/loop_core.hpp"

namespace tsock::detail {

class LoopImpl;

/// A regular file, read and written at the descriptor's own place by libuv's worker threads.
class FileStream final : public StreamBackend, private ReadyTask {
 public:
  FileStream(LoopImpl& loop, UniqueFd fd);
  ~FileStream() override;

  void attach(StreamEvents& events) noexcept override { events_ = &events; }
  ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept override;
  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override;
  int try_flush() noexcept override;
  int try_shutdown_write() noexcept override;
  int try_disconnect() noexcept override;
  void abort() noexcept override { let_go(); }
  void want_readable() noexcept override;
  void want_writable() noexcept override;
  void want_broken() noexcept override {}
  std::size_t pending_bytes(int& err) noexcept override;
  [[nodiscard]] StreamTraits traits() const noexcept override;

 private:
  struct File;
  struct Job;

  void run() override;
  void come_back();
  void on_read();
  void on_write();
  void let_go() noexcept;

  LoopImpl* loop_;
  File* file_;
  StreamEvents* events_ = nullptr;
  bool wants_read_ = false;
  bool wants_write_ = false;
};

}  // namespace tsock::detail
