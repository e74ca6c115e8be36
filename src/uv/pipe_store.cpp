#include "uv/pipe_store.hpp"

#include <cerrno>
#include <new>
#include <utility>

#include "uv/loop_impl.hpp"
#include "uv/os/descriptor.hpp"
#include "uv/os/process.hpp"
#include "uv/socket_stream.hpp"

namespace tsock::inline v0::detail {

class PipeStore::Pipe final : public KernelPipe {
 public:
  Pipe(PipeStore& store, os::PipeEnds ends) noexcept : store_(&store), ends_(std::move(ends)) {}

  ssize_t try_fill(StreamBackend& source, int& err) noexcept override {
    const ssize_t got = static_cast<SocketStream&>(source).try_move_into(ends_, pipe_size, err);
    if (got > 0) size_ = static_cast<std::size_t>(got);
    return got;
  }
  // The bytes that a forked child finds in a pipe are the parent's.
  ssize_t try_empty(StreamBackend& target, int& err) noexcept override {
    if (is_of_parent()) {
      err = EPROTO;
      return -1;
    }
    const ssize_t sent = static_cast<SocketStream&>(target).try_move_out_of(ends_, size_, err);
    if (sent > 0) size_ -= static_cast<std::size_t>(sent);
    return sent;
  }
  bool read(std::span<std::byte> bytes) noexcept override {
    while (!bytes.empty() && !is_of_parent()) {
      const iovec vector = make_vector(bytes);
      int err = 0;
      const ssize_t got = os::read_descriptor(ends_.out.get(), {&vector, 1}, err);
      if (got <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(got));
      size_ -= static_cast<std::size_t>(got);
    }
    return bytes.empty();
  }
  void release() noexcept override { store_->take_back(std::unique_ptr<Pipe>(this)); }
  [[nodiscard]] bool is_of_parent() const noexcept { return forks_ != os::fork_count(); }

 private:
  PipeStore* store_;
  os::PipeEnds ends_;
  unsigned forks_ = os::fork_count();
};

PipeStore::PipeStore(LoopImpl& loop) noexcept : loop_(&loop) {}

PipeStore::~PipeStore() = default;

void PipeStore::close_idle() noexcept { idle_.clear(); }

BorrowedPipe PipeStore::borrow() noexcept {
  if (lent_ == most_lent) return nullptr;
  while (!idle_.empty()) {
    std::unique_ptr<Pipe> pipe = std::move(idle_.back());
    idle_.pop_back();
    if (pipe->is_of_parent()) continue;
    ++lent_;
    return BorrowedPipe(pipe.release());
  }
  try {
    idle_.reserve(most_idle);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  os::PipeEnds ends;
  if (os::open_pipe(pipe_size, ends) != 0) return nullptr;
  BorrowedPipe pipe(new (std::nothrow) Pipe(*this, std::move(ends)));
  if (pipe != nullptr) ++lent_;
  return pipe;
}

void PipeStore::take_back(std::unique_ptr<Pipe> pipe) noexcept {
  --lent_;
  const bool is_of_use = pipe->size() == 0 && !pipe->is_of_parent() && !loop_->is_closed();
  if (is_of_use && idle_.size() < most_idle) idle_.push_back(std::move(pipe));
}

bool can_use_pipe(const StreamBackend& source, const StreamBackend& target) noexcept {
  const auto* const from = dynamic_cast<const SocketStream*>(&source);
  const auto* const to = dynamic_cast<const SocketStream*>(&target);
  return from != nullptr && from->is_plain() && to != nullptr && !to->has_borders();
}

BorrowedPipe borrow_pipe(LoopCore& core) noexcept {
  PipeStore* const store = impl_of(core).pipes();
  return store != nullptr ? store->borrow() : nullptr;
}

}  // namespace tsock::inline v0::detail
