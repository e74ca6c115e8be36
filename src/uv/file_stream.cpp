#include "uv/file_stream.hpp"

#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "uv/loop_impl.hpp"

namespace tsock::detail {

namespace {

constexpr std::size_t buffer_size = std::size_t{64} * 1024;

}  // namespace

/// One direction: a buffer and the worker thread's call on it.
struct FileStream::Job {
  uv_fs_t request{};
  std::byte* buffer = nullptr;
  std::size_t begin = 0;
  std::size_t end = 0;
  int err = 0;
  bool busy = false;

  [[nodiscard]] bool has_bytes() const noexcept { return begin != end; }
};

/// The descriptor and what worker threads use; it outlives the stream until they are done.
struct FileStream::File {
  File(LoopImpl& owner, UniqueFd descriptor, FileStream& user) noexcept
      : loop(&owner), fd(std::move(descriptor)), stream(&user) {
    reading.request.data = writing.request.data = closing.request.data = this;
  }

  LoopImpl* loop;
  UniqueFd fd;
  FileStream* stream;
  Job reading;
  Job writing;
  Job closing;
  bool ended = false;
  bool closed = false;

  [[nodiscard]] bool is_busy() const noexcept { return reading.busy || writing.busy || closing.busy; }

  /// A buffer, kept while it is in use.
  void reserve(Job& job) {
    if (job.buffer == nullptr) job.buffer = static_cast<std::byte*>(loop->allocate(buffer_size));
    job.begin = job.end = 0;
  }
  void free_buffer(Job& job) noexcept {
    if (job.buffer != nullptr) loop->deallocate(job.buffer, buffer_size);
    job.buffer = nullptr;
    job.begin = job.end = 0;
  }

  /// What every call to a worker thread has in common. `begin` starts it.
  template <class F>
  void start(Job& job, F begin) {
    job.err = -begin();
    if (job.err != 0) return;
    job.busy = true;
    loop->job_started();
  }

  static void returned(uv_fs_t* request);
  void start_read();
  void start_write();
  void start_close();
  void end_job(Job& job);
  /// Closes, and goes when nobody needs it any more.
  void release() noexcept;
};

void FileStream::File::start_read() {
  reserve(reading);
  const uv_buf_t target = uv_buf_init(reinterpret_cast<char*>(reading.buffer), buffer_size);
  start(reading,
        [&] { return uv_fs_read(loop->uv(), &reading.request, fd.get(), &target, 1, -1, returned); });
}

void FileStream::File::start_write() {
  const uv_buf_t rest = uv_buf_init(reinterpret_cast<char*>(writing.buffer + writing.begin),
                                    static_cast<unsigned>(writing.end - writing.begin));
  start(writing, [&] { return uv_fs_write(loop->uv(), &writing.request, fd.get(), &rest, 1, -1, returned); });
}

// On the loop's thread close(2) could wait for a file server.
void FileStream::File::start_close() {
  closed = true;
  const int number = fd.release();
  start(closing, [&] { return uv_fs_close(loop->uv(), &closing.request, number, returned); });
  if (!closing.busy) fd.reset(number);
}

void FileStream::File::returned(uv_fs_t* request) {
  auto& file = *static_cast<File*>(request->data);
  LoopImpl& loop = *file.loop;
  const bool is_closed = loop.is_closed();
  if (!is_closed) loop.enter();
  loop.job_ended();
  for (Job* job : {&file.reading, &file.writing, &file.closing}) {
    if (request == &job->request) file.end_job(*job);
  }
  if (!is_closed) loop.drain();
}

void FileStream::File::end_job(Job& job) {
  job.busy = false;
  const ssize_t result = job.request.result;
  uv_fs_req_cleanup(&job.request);
  if (result < 0) job.err = static_cast<int>(-result);
  if (&job == &reading) {
    if (result > 0) reading.end = static_cast<std::size_t>(result);
    if (result == 0) ended = true;
    if (result <= 0) free_buffer(reading);
  } else if (&job == &writing) {
    if (result == 0) writing.err = EIO;
    if (result > 0) {
      writing.begin += static_cast<std::size_t>(result);
      if (writing.has_bytes() && stream != nullptr) {
        start_write();
        if (writing.busy) return;
      }
    }
    free_buffer(writing);
  }
  if (stream == nullptr) {
    release();
  } else if (&job == &reading) {
    stream->on_read();
  } else {
    stream->on_write();
  }
}

void FileStream::File::release() noexcept {
  if (is_busy()) return;
  if (!closed && !loop->is_closed()) {
    start_close();
    if (closing.busy) return;
  }
  free_buffer(reading);
  free_buffer(writing);
  LoopImpl& owner = *loop;
  this->~File();
  owner.deallocate(static_cast<void*>(this), sizeof(File));
}

FileStream::FileStream(LoopImpl& loop, UniqueFd fd)
    : loop_(&loop), file_(make_pooled<File>(loop, loop, std::move(fd), *this)) {}

FileStream::~FileStream() {
  if (is_linked()) unlink();
  let_go();
}

void FileStream::let_go() noexcept {
  File* const file = std::exchange(file_, nullptr);
  if (file == nullptr) return;
  file->stream = nullptr;
  // Nobody wants these bytes; a write that the worker thread has not begun was interrupted.
  if (file->reading.busy) uv_cancel(reinterpret_cast<uv_req_t*>(&file->reading.request));
  if (file->writing.busy) uv_cancel(reinterpret_cast<uv_req_t*>(&file->writing.request));
  file->release();
}

ssize_t FileStream::try_readv(std::span<const iovec> vectors, int& err) noexcept {
  if (file_ == nullptr) {
    err = EBADF;
    return -1;
  }
  Job& job = file_->reading;
  if (job.busy || !job.has_bytes()) {
    err = job.err != 0 ? job.err : EAGAIN;
    return !job.busy && job.err == 0 && file_->ended ? 0 : -1;
  }
  std::size_t taken = 0;
  for (const iovec& vector : vectors) {
    const std::size_t step = std::min(vector.iov_len, job.end - job.begin);
    if (step == 0) continue;
    std::memcpy(vector.iov_base, job.buffer + job.begin, step);
    job.begin += step;
    taken += step;
  }
  if (!job.has_bytes()) file_->free_buffer(job);
  return static_cast<ssize_t>(taken);
}

ssize_t FileStream::try_writev(std::span<const iovec> vectors, int& err) noexcept {
  err = try_flush();
  if (err != 0) return -1;
  Job& job = file_->writing;
  file_->reserve(job);
  for (const iovec& vector : vectors) {
    const std::size_t step = std::min(vector.iov_len, buffer_size - job.end);
    if (step == 0) continue;
    std::memcpy(job.buffer + job.end, vector.iov_base, step);
    job.end += step;
  }
  const auto taken = static_cast<ssize_t>(job.end);
  file_->start_write();
  if (job.busy) return taken;
  file_->free_buffer(job);
  err = job.err;
  return -1;
}

int FileStream::try_flush() noexcept {
  if (file_ == nullptr) return EBADF;
  if (file_->writing.err != 0) return file_->writing.err;
  return file_->writing.busy ? EAGAIN : 0;
}

int FileStream::try_shutdown_write() noexcept { return ENOTSUP; }

int FileStream::try_disconnect() noexcept {
  if (file_ == nullptr) return EBADF;
  if (file_->is_busy()) return EAGAIN;
  if (!file_->closed) {
    file_->start_close();
    if (file_->closing.busy) return EAGAIN;
  }
  const int err = file_->closing.err;
  let_go();
  return err;
}

void FileStream::want_readable() noexcept {
  wants_read_ = true;
  Job& job = file_->reading;
  if (job.busy) return;
  if (!job.has_bytes() && job.err == 0 && !file_->ended) file_->start_read();
  if (!job.busy) come_back();
}

void FileStream::want_writable() noexcept {
  wants_write_ = true;
  if (!file_->is_busy()) come_back();
}

void FileStream::come_back() {
  if (!is_linked()) loop_->make_ready(*this);
}

void FileStream::run() {
  if (wants_write_ && file_ != nullptr && !file_->is_busy()) {
    wants_write_ = false;
    events_->on_writable();
  }
  if (wants_read_ && file_ != nullptr && !file_->reading.busy) {
    wants_read_ = false;
    events_->on_readable();
  }
}

void FileStream::on_read() {
  if (std::exchange(wants_read_, false)) events_->on_readable();
  // A disconnect waits for both directions.
  if (wants_write_ && file_ != nullptr && !file_->is_busy()) on_write();
}

void FileStream::on_write() {
  if (std::exchange(wants_write_, false)) events_->on_writable();
}

std::size_t FileStream::pending_bytes(int& err) noexcept {
  if (file_ == nullptr) return 0;
  const Job& job = file_->reading;
  if (job.busy) return 0;
  if (!job.has_bytes()) err = job.err != 0 ? job.err : (file_->ended ? EPIPE : 0);
  return job.end - job.begin;
}

StreamTraits FileStream::traits() const noexcept { return {.read_ahead = true, .short_is_final = true}; }

}  // namespace tsock::detail
