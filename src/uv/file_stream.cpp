#include "uv/file_stream.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "uv/loop_impl.hpp"
#include "uv/os/descriptor.hpp"
#include "uv/os/kernel_pipe.hpp"

namespace tsock::inline v0::detail {

namespace {

constexpr std::size_t read_size = std::size_t{64} * 1024;
constexpr std::size_t most_written = std::size_t{256} * 1024;
// The page cache takes what one call writes in folios of its size, and memory for large ones is harder to
// find: on a virtual machine, calls for 1 MiB took up to four times as much CPU time.
constexpr std::size_t most_moved = std::size_t{64} * 1024;

}  // namespace

/// The descriptor, shared by the stream and its calls under way; the last of them closes it.
struct FileStream::File {
  File(LoopImpl& owner, UniqueFd descriptor) noexcept : loop(&owner), fd(std::move(descriptor)) {}
  /// Closes the file on a worker thread: on the loop's thread close(2) could wait for a file server.
  static void let_go(std::shared_ptr<File> file) noexcept;

  LoopImpl* loop;  // used on the loop's thread only
  UniqueFd fd;
};

/// A call and its outcome.
class FileStream::Job final : public WorkerThreads::Job {
 public:
  Job(std::shared_ptr<File> file, FileStream* stream) noexcept : file_(std::move(file)), stream_(stream) {}

  /// Without a buffer the job closes the file.
  bool make_buffer(std::size_t size) noexcept {
    buffer_.reset(new (std::nothrow) std::byte[size]);
    size_ = size;
    return buffer_ != nullptr;
  }
  void set_to_write() noexcept { writes_ = true; }
  /// Makes it write so many bytes out of a pipe.
  void set_pipe(std::shared_ptr<os::PipeEnds> pipe, std::size_t bytes) noexcept {
    pipe_ = std::move(pipe);
    end_ = bytes;
    writes_ = true;
  }
  [[nodiscard]] bool has_pipe() const noexcept { return pipe_ != nullptr; }
  /// Makes a write that is over ready for other bytes. \return whether there is room for so many
  bool can_write_again(std::size_t size) noexcept {
    begin_ = end_ = 0;
    return size <= size_;
  }
  [[nodiscard]] std::span<std::byte> room() noexcept { return {buffer_.get() + end_, size_ - end_}; }
  void add(std::size_t bytes) noexcept { end_ += bytes; }
  /// Bytes in the buffer that were read from the file, or were not written.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {buffer_.get() + begin_, size()}; }
  /// How many these are, also in a pipe.
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  void take(std::size_t bytes) noexcept { begin_ += bytes; }
  [[nodiscard]] int error() const noexcept { return err_; }
  /// Called when no stream waits for the job any more.
  void forget_stream() noexcept { stream_ = nullptr; }

  void work() noexcept override {
    if (pipe_ != nullptr) {
      write_pipe();
    } else if (buffer_ == nullptr) {
      err_ = os::close(file_->fd);
    } else if (writes_) {
      write_all();
    } else {
      read();
    }
  }
  void done(std::unique_ptr<WorkerThreads::Job> self) noexcept override {
    if (stream_ != nullptr) {
      static_cast<void>(self.release());
      stream_->returned(std::unique_ptr<Job>(this));
    } else {
      File::let_go(std::move(file_));
    }
  }
  void lost() noexcept override {
    FileStream* const stream = std::exchange(stream_, nullptr);
    file_.reset();
    if (stream != nullptr) stream->call_ended(this, ECANCELED, writes_ ? size() : 0);
  }

 private:
  void read() noexcept {
    const iovec target = make_vector(room());
    const ssize_t got = os::read_descriptor(file_->fd.get(), {&target, 1}, err_);
    if (got > 0) add(static_cast<std::size_t>(got));
  }
  void write_all() noexcept {
    while (err_ == 0 && begin_ != end_) {
      const iovec rest = make_vector(bytes());
      const ssize_t written = os::write_descriptor(file_->fd.get(), {&rest, 1}, err_);
      if (written > 0) take(static_cast<std::size_t>(written));
      if (written == 0) err_ = EIO;
    }
  }

  void write_pipe() noexcept {
    while (err_ == 0 && size() != 0) {
      const ssize_t written = os::move_into_file(*pipe_, file_->fd.get(), std::min(size(), most_moved), err_);
      if (written > 0) take(static_cast<std::size_t>(written));
      if (written == 0) err_ = EIO;
      if (written < 0) copy_pipe();
    }
  }
  // For a file that takes bytes in no other way, or none at all. What cannot be written goes back into the
  // pipe, which had room for it before.
  void copy_pipe() noexcept {
    const std::size_t before = size();
    begin_ = end_ = 0;
    if (!make_buffer(before)) {
      end_ = before;
      err_ = ENOMEM;
      return;
    }
    err_ = 0;
    while (err_ == 0 && end_ != before) {
      const iovec rest = make_vector(room());
      const ssize_t got = os::read_descriptor(pipe_->out.get(), {&rest, 1}, err_);
      if (got > 0) add(static_cast<std::size_t>(got));
      if (got == 0) err_ = EIO;
    }
    write_all();
    if (err_ == 0) return;
    const iovec rest = make_vector(bytes());
    int ignored = 0;
    static_cast<void>(os::write_descriptor(pipe_->in.get(), {&rest, 1}, ignored));
  }

  std::shared_ptr<File> file_;
  std::shared_ptr<os::PipeEnds> pipe_;
  FileStream* stream_;
  std::unique_ptr<std::byte[]> buffer_;
  std::size_t size_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  int err_ = 0;
  bool writes_ = false;
};

void FileStream::File::let_go(std::shared_ptr<File> file) noexcept {
  LoopImpl& loop = *file->loop;
  if (!file->fd || file.use_count() > 1 || loop.is_closed()) return;
  std::unique_ptr<WorkerThreads::Job> job(new (std::nothrow) Job(std::move(file), nullptr));
  // Without a thread the file is closed here.
  if (job != nullptr) static_cast<void>(loop.submit(LoopImpl::Work::file, job));
}

FileStream::FileStream(LoopImpl& loop, UniqueFd fd)
    : loop_(&loop), file_(std::make_shared<File>(loop, std::move(fd))) {}

FileStream::~FileStream() {
  if (is_linked()) unlink();
  let_go();
}

// Bytes taken for writing are still written; a read that no stream waits for need not start.
void FileStream::let_go() noexcept {
  if (file_ == nullptr) return;
  if (reading_.out != nullptr && !loop_->is_closed() &&
      loop_->take_back(LoopImpl::Work::file, *reading_.out) != nullptr)
    reading_.out = nullptr;
  for (Work* work : {&reading_, &writing_, &closing_}) {
    work->job.reset();
    if (Job* const out = std::exchange(work->out, nullptr)) out->forget_stream();
  }
  File::let_go(std::move(file_));
  file_ = nullptr;
}

std::unique_ptr<FileStream::Job> FileStream::make_job(std::size_t size) noexcept {
  std::unique_ptr<Job> job(new (std::nothrow) Job(file_, this));
  if (job == nullptr || (size != 0 && !job->make_buffer(size))) {
    shortage_ = ENOMEM;
    return nullptr;
  }
  return job;
}

void FileStream::submit(Work& work, std::unique_ptr<Job> job) noexcept {
  Job& out = *job;
  std::unique_ptr<WorkerThreads::Job> handed(std::move(job));
  const int err = loop_->submit(LoopImpl::Work::file, handed);
  if (err == 0) {
    work.out = &out;
  } else {
    shortage_ = err;
  }
}

void FileStream::start_read() noexcept {
  if (std::unique_ptr<Job> job = make_job(read_size)) submit(reading_, std::move(job));
}

void FileStream::returned(std::unique_ptr<Job> job) noexcept {
  const Job* const call = job.get();
  const int err = job->error();
  const std::size_t bytes = job->size();
  if (call == writing_.out && err == 0 && !job->has_pipe()) {
    writing_.job = std::move(job);  // for the next write
  } else if (call != reading_.out) {
    job.reset();
  } else if (bytes != 0) {
    reading_.job = std::move(job);
    reads_here_ = can_tell_what_waits_;
  } else {
    ended_ = err == 0;
  }
  call_ended(call, err, bytes);
}

void FileStream::call_ended(const Job* call, int err, std::size_t unsent) noexcept {
  if (call == reading_.out) {
    reading_.out = nullptr;
    reading_.err = err;
    on_read();
    return;
  }
  Work& work = call == writing_.out ? writing_ : closing_;
  work.out = nullptr;
  work.err = err;
  if (&work == &writing_) unsent_ = unsent;
  on_write();
}

bool FileStream::has_bytes() const noexcept { return reading_.job != nullptr; }

ssize_t FileStream::try_readv(std::span<const iovec> vectors, int& err) noexcept {
  if (file_ == nullptr) {
    err = EBADF;
    return -1;
  }
  if (!has_bytes()) {
    if (may_read_here()) return read_here(vectors, err);
    err = reading_.err != 0 ? reading_.err : EAGAIN;
    return reading_.out == nullptr && reading_.err == 0 && ended_ ? 0 : -1;
  }
  Job& job = *reading_.job;
  std::size_t taken = 0;
  for (const iovec& vector : vectors) {
    const std::size_t step = std::min(vector.iov_len, job.bytes().size());
    if (step == 0) continue;
    std::memcpy(vector.iov_base, job.bytes().data(), step);
    job.take(step);
    taken += step;
  }
  if (job.bytes().empty()) reading_.job.reset();
  return static_cast<ssize_t>(taken);
}

// What is not in memory yet is for a thread, and so is the next read after it.
ssize_t FileStream::read_here(std::span<const iovec> vectors, int& err) noexcept {
  const ssize_t got = os::read_without_waiting(file_->fd.get(), vectors, err);
  if (got == 0) ended_ = true;
  if (got >= 0) return got;
  reads_here_ = false;
  if (err == ENOTSUP) can_tell_what_waits_ = false;
  if (err == EAGAIN || err == ENOTSUP) {
    err = EAGAIN;
  } else {
    reading_.err = err;
  }
  return -1;
}

ssize_t FileStream::try_writev(std::span<const iovec> vectors, int& err) noexcept {
  err = try_flush();
  if (err != 0) return -1;
  std::size_t size = 0;
  for (const iovec& vector : vectors) size += std::min(vector.iov_len, most_written - size);
  std::unique_ptr<Job> job = std::move(writing_.job);
  if (job == nullptr || !job->can_write_again(size)) {
    job = make_job(std::max(size, std::size_t{1}));  // without bytes it would close the file
  }
  if (job == nullptr) {
    err = EAGAIN;  // `want_writable()` reports the shortage
    return -1;
  }
  job->set_to_write();
  for (const iovec& vector : vectors) {
    const std::size_t step = std::min(vector.iov_len, job->room().size());
    if (step == 0) continue;
    std::memcpy(job->room().data(), vector.iov_base, step);
    job->add(step);
  }
  const auto taken = static_cast<ssize_t>(job->bytes().size());
  submit(writing_, std::move(job));
  if (writing_.out != nullptr) return taken;
  err = EAGAIN;
  return -1;
}

bool FileStream::takes_pipes() const noexcept {
  return file_ != nullptr && os::can_move_into_file(file_->fd.get());
}

ssize_t FileStream::try_write_pipe(std::shared_ptr<os::PipeEnds> pipe, std::size_t bytes, int& err) noexcept {
  err = try_flush();
  if (err != 0) return -1;
  std::unique_ptr<Job> job = make_job(0);
  if (job != nullptr) {
    writing_.job.reset();
    job->set_pipe(std::move(pipe), bytes);
    submit(writing_, std::move(job));
    if (writing_.out != nullptr) return static_cast<ssize_t>(bytes);
  }
  err = EAGAIN;  // `want_writable()` reports the shortage
  return -1;
}

int FileStream::try_flush() noexcept {
  if (file_ == nullptr) return EBADF;
  if (writing_.err != 0) return writing_.err;
  return writing_.out != nullptr ? EAGAIN : 0;
}

int FileStream::try_shutdown_write() noexcept { return ENOTSUP; }

int FileStream::try_disconnect(Linger& linger) noexcept {
  if (file_ == nullptr) return EBADF;
  writing_.job.reset();
  bool busy = is_busy();
  if (!busy && file_->fd) {
    if (std::unique_ptr<Job> job = make_job(0)) submit(closing_, std::move(job));
    busy = closing_.out != nullptr;
    if (!busy) {
      shortage_ = 0;
      closing_.err = os::close(file_->fd);
    }
  }
  if (busy && linger.is_over) {
    let_go();
    return ETIMEDOUT;
  }
  if (busy) return EAGAIN;
  const int err = closing_.err;
  let_go();
  return err;
}

Readiness FileStream::want_readable() noexcept {
  if (reading_.out == nullptr) {
    if (file_ == nullptr || has_bytes() || reading_.err != 0 || ended_) return Readiness::now;
    if (may_read_here()) return Readiness::next_turn;
    start_read();
    if (reading_.out == nullptr) tell_of_shortage();
  }
  wants_read_ = true;
  return Readiness::later;
}

Readiness FileStream::want_writable() noexcept {
  if (shortage_ != 0) {
    tell_of_shortage();
  } else if (!is_busy()) {
    return Readiness::now;
  }
  wants_write_ = true;
  return Readiness::later;
}

void FileStream::tell_of_shortage() noexcept {
  if (!is_linked()) loop_->make_ready(*this);
}

void FileStream::run() {
  const int err = std::exchange(shortage_, 0);
  if (err == 0) return;  // meanwhile a disconnect has closed without a thread
  wants_write_ = wants_read_ = false;
  events_->on_shortage(err);
}

void FileStream::on_read() noexcept {
  if (std::exchange(wants_read_, false)) events_->on_readable();
  // A disconnect waits for both directions.
  if (wants_write_ && file_ != nullptr && !is_busy()) on_write();
}

void FileStream::on_write() noexcept {
  if (std::exchange(wants_write_, false)) events_->on_writable();
}

std::size_t FileStream::pending_bytes(int& err) noexcept {
  if (file_ == nullptr || reading_.out != nullptr) return 0;
  if (has_bytes()) return reading_.job->bytes().size();
  err = reading_.err != 0 ? reading_.err : (ended_ ? EPIPE : 0);
  return 0;
}

StreamTraits FileStream::traits() const noexcept { return {.read_ahead = true, .short_is_final = true}; }

}  // namespace tsock::inline v0::detail
