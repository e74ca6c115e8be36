#include "core/loop/receive_buffer.hpp"

#include <algorithm>
#include <new>

namespace tsock::inline v0::detail {

void ReceiveBuffer::Free::operator()(ReceiveChunk* chunk) const noexcept {
  ::operator delete (static_cast<void*>(chunk), std::align_val_t{ReceiveChunk::size});
}

std::span<std::byte> ReceiveBuffer::room_beside_messages() noexcept {
  if (current_ == nullptr || used_ > most_used) {
    const auto idle =
        std::find_if(chunks_.begin(), chunks_.end(), [](const auto& chunk) { return chunk->messages == 0; });
    if (idle != chunks_.end()) {
      current_ = idle->get();
    } else {
      try {
        void* const memory = ::operator new (ReceiveChunk::size, std::align_val_t{ReceiveChunk::size});
        chunks_.push_back(std::unique_ptr<ReceiveChunk, Free>(::new (memory) ReceiveChunk{core_}));
      } catch (const std::bad_alloc&) {
        return {};
      }
      current_ = chunks_.back().get();
    }
    used_ = 0;
  }
  const std::span<std::byte> room{current_->room() + used_, ReceiveChunk::room_size - used_};
  unpoison_memory(room.data(), room.size());
  return room;
}

void ReceiveBuffer::free_idle(const ReceiveChunk& chunk) noexcept {
  if (chunks_.size() <= most_idle_chunks) return;
  const auto idle =
      std::count_if(chunks_.begin(), chunks_.end(), [](const auto& other) { return other->messages == 0; });
  if (static_cast<std::size_t>(idle) <= most_idle_chunks) return;
  std::erase_if(chunks_, [&chunk](const auto& other) { return other.get() == &chunk; });
}

}  // namespace tsock::inline v0::detail
