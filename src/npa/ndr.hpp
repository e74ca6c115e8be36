#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tsock/npa/guid.hpp>
#include <tsock/npa/nt_time.hpp>
#include <tsock/npa/secret_bytes.hpp>
#include <tsock/npa/sid.hpp>

// NDR as NPA uses it: little endian, aligned from the first byte of the message, whatever is in front of it.
// All functions name the field that they are about, for the reason of a failure.
namespace tsock::inline v0::npa {

/// Reads values one after another. The first one that cannot be read is remembered, and everything read
/// behind it is zero or empty. Nothing is allocated for what the bytes at hand cannot hold.
class NdrReader {
 public:
  /// \param offset of the first byte in its message
  NdrReader(std::span<const std::byte> bytes, std::size_t offset) noexcept : bytes_(bytes), base_(offset) {}

  [[nodiscard]] std::uint8_t u8(std::string_view field) noexcept;
  [[nodiscard]] std::uint16_t u16(std::string_view field) noexcept;
  [[nodiscard]] std::uint32_t u32(std::string_view field) noexcept;
  [[nodiscard]] std::uint64_t u64(std::string_view field) noexcept;  ///< hyper: aligned to 8
  /// A u8 that is 0 or 1.
  [[nodiscard]] bool boolean(std::string_view field) noexcept;
  /// \return whether there is something behind the unique pointer.
  [[nodiscard]] bool pointer(std::string_view field) noexcept { return u32(field) != 0; }
  /// A pointer that is always null.
  void null(std::string_view field) noexcept;
  [[nodiscard]] NtTime time(std::string_view field) noexcept;
  [[nodiscard]] Guid guid(std::string_view field) noexcept;
  [[nodiscard]] Sid sid(std::string_view field) noexcept;
  /// The number of elements of an array, each of which takes at least `size` bytes.
  [[nodiscard]] std::uint32_t count(std::size_t size, std::uint32_t most, std::string_view field) noexcept;
  /// The text behind a pointer. Throws std::bad_alloc.
  [[nodiscard]] std::string text(std::string_view field);
  /// Length and bytes. Throws std::bad_alloc.
  [[nodiscard]] SecretBytes blob(std::string_view field);
  void align(std::size_t to, std::string_view field) noexcept;
  /// The next bytes as they are; empty when it fails.
  std::span<const std::byte> take(std::size_t size, std::string_view field) noexcept;
  /// Where the next byte is in the message.
  [[nodiscard]] std::size_t offset() const noexcept { return base_ + position_; }
  /// What was read from `offset` on.
  [[nodiscard]] std::span<const std::byte> since(std::size_t offset) const noexcept {
    return bytes_.first(position_).subspan(offset - base_);
  }
  /// Nothing may be left.
  void end() noexcept;

  /// Fails, unless something has failed before. Both texts are literals.
  void fail(std::string_view field, std::string_view what) noexcept;
  [[nodiscard]] bool failed() const noexcept { return !what_.empty(); }
  /// What is wrong; empty if nothing is.
  [[nodiscard]] std::string_view what() const noexcept { return what_; }
  /// "<field>: <what is wrong>". Throws std::bad_alloc.
  [[nodiscard]] std::string reason() const;

 private:
  [[nodiscard]] std::size_t left() const noexcept { return bytes_.size() - position_; }
  template <class Number>
  Number number(std::string_view field) noexcept;

  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
  std::size_t base_;
  std::string_view field_;
  std::string_view what_;
};

/// Writes values one after another, or, without a place for them, only counts their bytes.
class NdrWriter {
 public:
  /// Counts.
  NdrWriter() noexcept = default;
  /// Writes to bytes that are zero, and as many as were counted.
  explicit NdrWriter(std::span<std::byte> to) noexcept : to_(to) {}

  void u8(std::uint8_t value) noexcept;
  void u16(std::uint16_t value) noexcept;
  void u32(std::uint32_t value) noexcept;
  void u64(std::uint64_t value) noexcept;
  /// A unique pointer, or null. The ids are those of Samba: they go up by four.
  void pointer(bool is_set) noexcept;
  void time(NtTime value) noexcept;
  void guid(const Guid& value) noexcept;
  void sid(const Sid& value) noexcept;
  void text(std::string_view value) noexcept;
  void blob(std::span<const std::byte> value) noexcept;
  void bytes(std::span<const std::byte> value) noexcept;
  void align(std::size_t to) noexcept { position_ = (position_ + to - 1) / to * to; }

  [[nodiscard]] std::size_t size() const noexcept { return position_; }
  /// One that goes on from here, and only counts.
  [[nodiscard]] NdrWriter counter() const noexcept {
    NdrWriter counter;
    counter.position_ = position_;
    return counter;
  }

 private:
  template <class Number>
  void number(Number value) noexcept;

  std::span<std::byte> to_;
  std::size_t position_ = 0;
  std::uint32_t pointers_ = 0;
};

/// Whether a text is UTF-8 (RFC 3629), and has no NUL.
[[nodiscard]] bool is_ndr_text(std::string_view text) noexcept;

}  // namespace tsock::inline v0::npa
