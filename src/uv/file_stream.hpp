#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <tsock/stream_backend.hpp>
#include <tsock/unique_fd.hpp>

#include "core/loop/loop_core.hpp"
#include "core/stream/bulk_backend.hpp"

namespace tsock::inline v0::os {
struct PipeEnds;
}

namespace tsock::inline v0::detail {

class LoopImpl;

/// A regular file, read and written at the descriptor's own position by worker threads of the loop. What the
/// system has in memory is read here, as far as it can tell that without waiting.
class FileStream final : public StreamBackend, public BulkBackend, private ReadyTask {
 public:
  FileStream(LoopImpl& loop, UniqueFd fd);
  ~FileStream() override;

  void attach(StreamEvents& events) noexcept override { events_ = &events; }
  ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept override;
  ssize_t try_writev(std::span<const iovec> vectors, int& err) noexcept override;
  /// As above, of so many bytes in a pipe, all of which are taken. A thread works on the pipe until
  /// `try_flush()` gives something else than EAGAIN; `unsent_bytes()` are in it then.
  ssize_t try_write_pipe(std::shared_ptr<os::PipeEnds> pipe, std::size_t bytes, int& err) noexcept;
  /// Whether that is of use.
  [[nodiscard]] bool takes_pipes() const noexcept;
  int try_flush() noexcept override;
  int try_shutdown_write() noexcept override;
  int try_disconnect(Linger& linger) noexcept override;
  void abort() noexcept override { let_go(); }
  Readiness want_readable() noexcept override;
  Readiness want_writable() noexcept override;
  void want_broken() noexcept override {}
  std::size_t pending_bytes(int& err) noexcept override;
  [[nodiscard]] std::size_t unsent_bytes() const noexcept override { return unsent_; }
  [[nodiscard]] StreamTraits traits() const noexcept override;

 private:
  struct File;
  class Job;
  /// One kind of call that worker threads make for the stream, one at a time.
  struct Work {
    std::unique_ptr<Job> job;  // the last call with its outcome, or its buffer, if that is still of use
    Job* out = nullptr;        // the call under way
    int err = 0;
  };

  void run() override;
  void tell_of_shortage() noexcept;
  /// Makes a call that is yet to be submitted; null, with `shortage_` set, when out of memory.
  std::unique_ptr<Job> make_job(std::size_t size) noexcept;
  void submit(Work& work, std::unique_ptr<Job> job) noexcept;
  void start_read() noexcept;
  ssize_t read_here(std::span<const iovec> vectors, int& err) noexcept;
  void returned(std::unique_ptr<Job> job) noexcept;
  /// Called when the call, which may not exist any more, is over; `unsent` bytes of a write are not in the
  /// file.
  void call_ended(const Job* call, int err, std::size_t unsent) noexcept;
  void on_read() noexcept;
  void on_write() noexcept;
  void let_go() noexcept;
  [[nodiscard]] bool has_bytes() const noexcept;
  [[nodiscard]] bool may_read_here() const noexcept {
    return reads_here_ && reading_.out == nullptr && reading_.err == 0 && !ended_;
  }
  [[nodiscard]] bool is_busy() const noexcept {
    return reading_.out != nullptr || writing_.out != nullptr || closing_.out != nullptr;
  }

  LoopImpl* loop_;
  std::shared_ptr<File> file_;
  StreamEvents* events_ = nullptr;
  Work reading_;
  Work writing_;
  Work closing_;
  std::size_t unsent_ = 0;  // bytes that were taken and are not in the file
  int shortage_ = 0;        // why no thread or no memory was to be had
  bool ended_ = false;
  bool reads_here_ = false;          // as the last read of a thread has made that worth a try
  bool can_tell_what_waits_ = true;  // the file system knows reads that do not wait
  bool wants_read_ = false;
  bool wants_write_ = false;
};

}  // namespace tsock::inline v0::detail
