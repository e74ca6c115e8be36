#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tsock/buffer.hpp>
#include <tsock/detail/pdu_block.hpp>
#include <tsock/export.hpp>
#include <tsock/temporary_bytes.hpp>
#include <utility>
#include <vector>

namespace tsock::inline v0 {

/// One message as received, with its header or delimiter. Owns its bytes, which never move: a vector over
/// them stays valid while the Pdu lives, also when the Pdu itself is moved. A message may stay in the 128 KiB
/// buffer that it was received with, and then keeps all of it alive; a loop allows four such buffers, eight
/// for messages of 8 KiB or more, and copies messages out beyond that. Belongs to its loop's thread.
class TSOCK_EXPORT Pdu {
 public:
  Pdu() noexcept = default;
  Pdu(Pdu&& other) noexcept : data_(std::exchange(other.data_, nullptr)), extent_(other.extent_) {}
  Pdu& operator=(Pdu&& other) noexcept {
    if (this != &other) {
      free();
      data_ = std::exchange(other.data_, nullptr);
      extent_ = other.extent_;
    }
    return *this;
  }
  Pdu(const Pdu&) = delete;
  Pdu& operator=(const Pdu&) = delete;
  ~Pdu() { free(); }

  /// The whole message.
  [[nodiscard]] std::span<const std::byte> bytes() const& noexcept { return {data_, size_or_0()}; }
  [[nodiscard]] std::span<std::byte> bytes() & noexcept { return {data_, size_or_0()}; }
  /// On a temporary: for a look before it is destroyed; no write takes them.
  [[nodiscard]] TemporaryBytes bytes() && noexcept { return TemporaryBytes{bytes()}; }
  /// The length prefix; empty for lines.
  [[nodiscard]] std::span<const std::byte> header() const& noexcept { return bytes().first(body_begin()); }
  [[nodiscard]] TemporaryBytes header() && noexcept { return TemporaryBytes{bytes().first(body_begin())}; }
  /// The bytes between length prefix and end, without a line's delimiter.
  [[nodiscard]] std::span<const std::byte> body() const& noexcept {
    return bytes().subspan(body_begin(), body_size());
  }
  [[nodiscard]] std::span<std::byte> body() & noexcept { return bytes().subspan(body_begin(), body_size()); }
  [[nodiscard]] TemporaryBytes body() && noexcept { return TemporaryBytes{body()}; }
  /// The body as text; valid while the Pdu lives.
  [[nodiscard]] std::string_view text() const& noexcept {
    return {reinterpret_cast<const char*>(data_) + body_begin(), body_size()};
  }
  std::string_view text() const&& = delete;
  /// Bytes of the whole message.
  [[nodiscard]] std::size_t size() const noexcept { return size_or_0(); }
  [[nodiscard]] bool empty() const noexcept { return size_or_0() == 0; }
  /// The whole message as a vector to write; the Pdu must outlive the write.
  [[nodiscard]] std::array<iovec, 1> vector() const& noexcept { return {make_vector(bytes())}; }
  std::array<iovec, 1> vector() const&& = delete;
  /// A copy of the body that is independent of the loop.
  [[nodiscard]] std::vector<std::byte> copy_body() const { return {body().begin(), body().end()}; }

 private:
  friend class PduAccess;

  // Size, begin of the body, size of what follows the body, and where the bytes are. One word, stored at
  // once: small members that are stored one by one and then loaded as one word stall the processor.
  static constexpr unsigned begin_shift = 32;
  static constexpr unsigned tail_shift = 40;
  static constexpr unsigned in_chunk_shift = 48;
  static constexpr std::uint64_t small = 0xff;
  [[nodiscard]] static constexpr std::uint64_t extent(std::uint32_t size, std::uint64_t body_begin,
                                                      std::uint64_t tail, bool in_chunk) noexcept {
    return size | body_begin << begin_shift | tail << tail_shift |
           static_cast<std::uint64_t>(in_chunk) << in_chunk_shift;
  }

  [[nodiscard]] std::uint32_t size_or_0() const noexcept {
    return data_ != nullptr ? static_cast<std::uint32_t>(extent_) : 0;
  }
  [[nodiscard]] std::size_t body_begin() const noexcept {
    return data_ != nullptr ? extent_ >> begin_shift & small : 0;
  }
  [[nodiscard]] std::size_t body_size() const noexcept {
    return data_ != nullptr ? size_or_0() - body_begin() - (extent_ >> tail_shift & small) : 0;
  }
  void free() noexcept {
    if (data_ != nullptr) detail::free_pdu(std::exchange(data_, nullptr), (extent_ >> in_chunk_shift) != 0);
  }

  std::byte* data_ = nullptr;
  std::uint64_t extent_ = 0;  // of a message; if there is none, see PduAccess::set_note()
};

}  // namespace tsock::inline v0
