#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tsock/buffer.hpp>
#include <vector>

namespace tsock {

namespace detail {
class LoopCore;
}

/// One message as it came from the wire, with its header or delimiter. Owns its bytes, which never move: a
/// vector over them stays good while the Pdu lives, also when the Pdu itself is moved. Belongs to its loop's
/// thread.
class Pdu {
 public:
  Pdu() noexcept = default;
  Pdu(Pdu&& other) noexcept;
  Pdu& operator=(Pdu&& other) noexcept;
  Pdu(const Pdu&) = delete;
  Pdu& operator=(const Pdu&) = delete;
  ~Pdu();

  /// The whole message.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  [[nodiscard]] std::span<std::byte> bytes() noexcept { return {data_, size_}; }
  /// The length prefix; empty for lines.
  [[nodiscard]] std::span<const std::byte> header() const noexcept { return {data_, body_begin_}; }
  /// What lies between length prefix and end, without a line's delimiter.
  [[nodiscard]] std::span<const std::byte> body() const noexcept {
    return {data_ + body_begin_, static_cast<std::size_t>(body_end_ - body_begin_)};
  }
  [[nodiscard]] std::span<std::byte> body() noexcept {
    return {data_ + body_begin_, static_cast<std::size_t>(body_end_ - body_begin_)};
  }
  /// Bytes of the whole message.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  /// The whole message as a vector to write; the Pdu must outlive the write.
  [[nodiscard]] std::array<iovec, 1> vector() const noexcept { return {make_vector(bytes())}; }
  /// A copy of the body that is independent of the loop.
  [[nodiscard]] std::vector<std::byte> copy_body() const { return {body().begin(), body().end()}; }

 private:
  friend class PduAccess;

  void free() noexcept;

  detail::LoopCore* core_ = nullptr;
  std::byte* data_ = nullptr;
  std::uint32_t capacity_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t body_begin_ = 0;
  std::uint32_t body_end_ = 0;
};

}  // namespace tsock
