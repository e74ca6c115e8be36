#include "uv/pipe_store.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>
#include <utility>

#include "uv/file_stream.hpp"
#include "uv/loop_impl.hpp"
#include "uv/os/descriptor.hpp"
#include "uv/os/process.hpp"
#include "uv/socket_stream.hpp"

namespace tsock::inline v0::detail {

class PipeStore::Pipe final : public KernelPipe {
 public:
  Pipe(PipeStore& store, std::shared_ptr<os::PipeEnds> ends) noexcept
      : store_(&store), ends_(std::move(ends)) {}

  /// To be called before it is filled.
  void prepare_for(PipeUse use) noexcept {
    use_ = use;
    const std::size_t wanted = use == PipeUse::into_file ? file_pipe_size : pipe_size;
    if (asked_for_ < wanted) room_ = os::resize_pipe(*ends_, asked_for_ = wanted);
    most_ = use == PipeUse::into_file ? std::min(wanted, room_) : wanted;
  }

  ssize_t try_fill(StreamBackend& source, int& err) noexcept override {
    const ssize_t got = static_cast<SocketStream&>(source).try_move_into(*ends_, most_, err);
    if (got > 0) size_ = static_cast<std::size_t>(got);
    return got;
  }
  // The bytes that a forked child finds in a pipe are the parent's.
  ssize_t try_empty(StreamBackend& target, int& err) noexcept override {
    if (is_of_parent()) {
      err = EPROTO;
      return -1;
    }
    const ssize_t sent = use_ == PipeUse::into_file
                             ? static_cast<FileStream&>(target).try_write_pipe(ends_, size_, err)
                             : static_cast<SocketStream&>(target).try_move_out_of(*ends_, size_, err);
    if (sent > 0) size_ -= static_cast<std::size_t>(sent);
    return sent;
  }
  bool read(std::span<std::byte> bytes) noexcept override {
    while (!bytes.empty() && !is_of_parent()) {
      const iovec vector = make_vector(bytes);
      int err = 0;
      const ssize_t got = os::read_descriptor(ends_->out.get(), {&vector, 1}, err);
      if (got <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(got));
      size_ -= static_cast<std::size_t>(got);
    }
    return bytes.empty();
  }
  void release() noexcept override { store_->take_back(std::unique_ptr<Pipe>(this)); }
  [[nodiscard]] bool is_of_parent() const noexcept { return forks_ != os::fork_count(); }
  /// Whether a thread still takes bytes out of it.
  [[nodiscard]] bool is_being_emptied() const noexcept { return ends_.use_count() != 1; }

 private:
  PipeStore* store_;
  std::shared_ptr<os::PipeEnds> ends_;
  std::size_t asked_for_ = 0;
  std::size_t room_ = 0;
  std::size_t most_ = 0;
  PipeUse use_ = PipeUse::none;
  unsigned forks_ = os::fork_count();
};

PipeStore::PipeStore(LoopImpl& loop) noexcept : loop_(&loop) {}

PipeStore::~PipeStore() = default;

void PipeStore::close_idle() noexcept { idle_.clear(); }

BorrowedPipe PipeStore::borrow(PipeUse use) noexcept {
  if (lent_ == most_lent) return nullptr;
  std::unique_ptr<Pipe> pipe;
  while (pipe == nullptr && !idle_.empty()) {
    pipe = std::move(idle_.back());
    idle_.pop_back();
    if (pipe->is_of_parent()) pipe.reset();
  }
  try {
    if (pipe == nullptr) {
      idle_.reserve(most_idle);
      auto ends = std::make_shared<os::PipeEnds>();
      if (os::open_pipe(pipe_size, *ends) != 0) return nullptr;
      pipe = std::make_unique<Pipe>(*this, std::move(ends));
    }
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  pipe->prepare_for(use);
  ++lent_;
  return BorrowedPipe(pipe.release());
}

void PipeStore::take_back(std::unique_ptr<Pipe> pipe) noexcept {
  --lent_;
  const bool is_of_use =
      pipe->size() == 0 && !pipe->is_being_emptied() && !pipe->is_of_parent() && !loop_->is_closed();
  if (is_of_use && idle_.size() < most_idle) idle_.push_back(std::move(pipe));
}

PipeUse pipe_use(const StreamBackend& source, const StreamBackend& target) noexcept {
  const auto* const from = dynamic_cast<const SocketStream*>(&source);
  if (from == nullptr || !from->is_plain()) return PipeUse::none;
  if (const auto* const to = dynamic_cast<const SocketStream*>(&target); to != nullptr)
    return to->has_borders() ? PipeUse::none : PipeUse::between_sockets;
  const auto* const file = dynamic_cast<const FileStream*>(&target);
  return file != nullptr && file->takes_pipes() ? PipeUse::into_file : PipeUse::none;
}

BorrowedPipe borrow_pipe(LoopCore& core, PipeUse use) noexcept {
  PipeStore* const store = impl_of(core).pipes();
  return store != nullptr ? store->borrow(use) : nullptr;
}

}  // namespace tsock::inline v0::detail
