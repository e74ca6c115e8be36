#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tsock/buffer.hpp>
#include <tsock/detail/pdu_block.hpp>
#include <utility>
#include <vector>

namespace tsock {

/// One message as it came from the wire, with its header or delimiter. Owns its bytes, which never move: a
/// vector over them stays good while the Pdu lives, also when the Pdu itself is moved. A message may lie in
/// the 128 KiB that it was received with and keep all of them; a loop lets that happen four times, for
/// messages of 8 KiB or more eight times, and copies messages out beyond that. Belongs to its loop's thread.
class Pdu {
 public:
  Pdu() noexcept = default;
  Pdu(Pdu&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Pdu& operator=(Pdu&& other) noexcept {
    if (this != &other) {
      free();
      block_ = std::exchange(other.block_, nullptr);
    }
    return *this;
  }
  Pdu(const Pdu&) = delete;
  Pdu& operator=(const Pdu&) = delete;
  ~Pdu() { free(); }

  /// The whole message.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return part(0, size()); }
  [[nodiscard]] std::span<std::byte> bytes() noexcept { return part(0, size()); }
  /// The length prefix; empty for lines.
  [[nodiscard]] std::span<const std::byte> header() const noexcept { return part(0, body_begin()); }
  /// What lies between length prefix and end, without a line's delimiter.
  [[nodiscard]] std::span<const std::byte> body() const noexcept { return part(body_begin(), body_end()); }
  [[nodiscard]] std::span<std::byte> body() noexcept { return part(body_begin(), body_end()); }
  /// Bytes of the whole message.
  [[nodiscard]] std::size_t size() const noexcept { return block_ != nullptr ? block_->size : 0; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  /// The whole message as a vector to write; the Pdu must outlive the write.
  [[nodiscard]] std::array<iovec, 1> vector() const noexcept { return {make_vector(bytes())}; }
  /// A copy of the body that is independent of the loop.
  [[nodiscard]] std::vector<std::byte> copy_body() const { return {body().begin(), body().end()}; }

 private:
  friend class PduAccess;

  [[nodiscard]] std::size_t body_begin() const noexcept { return block_ != nullptr ? block_->body_begin : 0; }
  [[nodiscard]] std::size_t body_end() const noexcept { return block_ != nullptr ? block_->body_end : 0; }
  [[nodiscard]] std::span<std::byte> part(std::size_t begin, std::size_t end) const noexcept {
    return block_ != nullptr ? std::span(block_->data() + begin, end - begin) : std::span<std::byte>();
  }
  void free() noexcept {
    if (block_ != nullptr) detail::free_pdu_block(*std::exchange(block_, nullptr));
  }

  detail::PduBlock* block_ = nullptr;
};

}  // namespace tsock
