#include "core/receive_buffer.hpp"

#include <algorithm>
#include <new>

namespace tsock::detail {

std::span<std::byte> ReceiveBuffer::room_beside_messages() noexcept {
  if (current_ == nullptr || used_ > most_used) {
    const auto idle =
        std::find_if(chunks_.begin(), chunks_.end(), [](const auto& chunk) { return chunk->messages == 0; });
    if (idle != chunks_.end()) {
      current_ = idle->get();
    } else {
      try {
        auto chunk = std::make_unique<ReceiveChunk>();
        chunk->bytes = std::make_unique_for_overwrite<std::byte[]>(chunk_size);
        chunks_.push_back(std::move(chunk));
      } catch (const std::bad_alloc&) {
        return {};
      }
      current_ = chunks_.back().get();
    }
    used_ = 0;
  }
  return {current_->bytes.get() + used_, chunk_size - used_};
}

void ReceiveBuffer::free_idle(const ReceiveChunk& chunk) noexcept {
  if (chunks_.size() <= most_idle_chunks) return;
  const auto idle =
      std::count_if(chunks_.begin(), chunks_.end(), [](const auto& other) { return other->messages == 0; });
  if (static_cast<std::size_t>(idle) <= most_idle_chunks) return;
  std::erase_if(chunks_, [&chunk](const auto& other) { return other.get() == &chunk; });
}

}  // namespace tsock::detail
