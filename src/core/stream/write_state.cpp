#include "core/stream/write_state.hpp"

#include <cerrno>
#include <new>

#include "core/stream/stream_core.hpp"

namespace tsock::inline v0::detail {

StreamWrite::~StreamWrite() {
  if (has(with_block)) core().deallocate(list_.block, list_.block->size);
}

void StreamWrite::set_vectors(std::span<const iovec> vectors, std::size_t total) {
  if (vectors.size() == 1 && !is_compound()) {
    set_vector(vectors[0]);
    return;
  }
  remaining_ = total;
  mark(compound);
  front_size_ = 0;
  std::size_t count = 0;
  for (const iovec& vector : vectors) count += vector.iov_len != 0 ? 1 : 0;
  if (count > 2) {
    const std::size_t size = sizeof(Block) + (count - 1) * sizeof(iovec);
    auto* const block = ::new (core().allocate(size)) Block{size};
    list_ = {::new (static_cast<void*>(block + 1)) iovec[count - 1], block};
    mark(with_block);
  }
  iovec* place = has(with_block) ? list_.next : &second_;
  for (const iovec& vector : vectors) {
    if (vector.iov_len == 0) continue;
    if (front_size_ == 0) {
      place_ = vector.iov_base;
      front_size_ = vector.iov_len;
    } else {
      *place++ = vector;
      ++behind_count();
    }
  }
}

void StreamWrite::advance(std::size_t bytes) noexcept {
  remaining_ -= bytes;
  add_transferred(bytes);
  fds_.reset();
  if (is_compound()) {
    if (front_size_ == 0) return;  // it has no vectors
    for (; bytes >= front_size_ && behind_count() != 0; --behind_count()) {
      bytes -= front_size_;
      place_ = rest()->iov_base;
      front_size_ = rest()->iov_len;
      if (has(with_block)) ++list_.next;
    }
    front_size_ -= bytes;
  }
  place_ = static_cast<std::byte*>(place_) + bytes;
}

void StreamWrite::start_in_queue() {
  StreamCore* const target = stream();
  if (target == nullptr) [[unlikely]] {
    finish(ECANCELED);
    return;
  }
  target->start_write(*this);
}

// A caller who cancels too late learns what became of the bytes. A deadline limits the time that the caller
// waits, so it applies even if the bytes leave after it.
void StreamWrite::interrupt(int err) {
  if (err == ECANCELED && stream() != nullptr && is_taken()) return;
  if (stream() != nullptr) stream()->drop_write(*this);
  fail(err);
}

// While the backend has not said that it has no room, more leaves at the next flush.
void StreamWrite::on_deadline() {
  if (stream() != nullptr && (queue() == nullptr || is_started()) && stream()->goes_on_writing()) {
    postpone_deadline();
  } else {
    StreamOperation::on_deadline();
  }
}

void StreamWrite::on_abandon() noexcept {
  if (stream() != nullptr) stream()->drop_write(*this);
  leave_queue();
}

}  // namespace tsock::inline v0::detail
