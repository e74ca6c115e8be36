#include "core/receive_buffer.hpp"

#include <algorithm>
#include <functional>
#include <new>

namespace tsock::detail {

std::span<std::byte> ReceiveBuffer::room() noexcept {
  if (current_ == nullptr || current_->messages != 0) [[unlikely]] {
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
  }
  return {current_->bytes.get(), chunk_size};
}

ReceiveChunk* ReceiveBuffer::chunk_of(const std::byte* bytes) const noexcept {
  if (current_ == nullptr || (current_->messages == 0 && chunks_.size() > most_chunks)) return nullptr;
  const std::byte* const begin = current_->bytes.get();
  const bool inside = std::less_equal<>()(begin, bytes) && std::less<>()(bytes, begin + chunk_size);
  return inside ? current_ : nullptr;
}

void ReceiveBuffer::remove_message(ReceiveChunk& chunk) noexcept {
  if (--chunk.messages != 0 || &chunk == current_ || chunks_.size() <= most_idle_chunks) return;
  const auto idle =
      std::count_if(chunks_.begin(), chunks_.end(), [](const auto& other) { return other->messages == 0; });
  if (static_cast<std::size_t>(idle) <= most_idle_chunks) return;
  std::erase_if(chunks_, [&chunk](const auto& other) { return other.get() == &chunk; });
}

}  // namespace tsock::detail
