#include "npa/ndr.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace tsock::inline v0::npa {

namespace {

constexpr std::uint32_t first_referent = 0x00020000;
constexpr std::uint32_t referent_step = 4;

}  // namespace

void NdrReader::fail(std::string_view field, std::string_view what) noexcept {
  if (failed()) return;
  field_ = field;
  what_ = what;
  position_ = bytes_.size();
}

std::string NdrReader::reason() const {
  if (!failed()) return {};
  return std::string(field_) + ": " + std::string(what_);
}

std::span<const std::byte> NdrReader::take(std::size_t size, std::string_view field) noexcept {
  if (failed()) return {};
  if (size > left()) {
    fail(field, "the message ends here");
    return {};
  }
  position_ += size;
  return bytes_.subspan(position_ - size, size);
}

void NdrReader::align(std::size_t to, std::string_view field) noexcept {
  const std::size_t past = (base_ + position_) % to;
  if (past != 0) take(to - past, field);
}

template <class Number>
Number NdrReader::number(std::string_view field) noexcept {
  align(sizeof(Number), field);
  std::uint64_t value = 0;
  unsigned shift = 0;
  for (const std::byte byte : take(sizeof(Number), field)) {
    value |= std::to_integer<std::uint64_t>(byte) << shift;
    shift += 8;
  }
  return static_cast<Number>(value);
}

std::uint8_t NdrReader::u8(std::string_view field) noexcept { return number<std::uint8_t>(field); }
std::uint16_t NdrReader::u16(std::string_view field) noexcept { return number<std::uint16_t>(field); }
std::uint32_t NdrReader::u32(std::string_view field) noexcept { return number<std::uint32_t>(field); }
std::uint64_t NdrReader::u64(std::string_view field) noexcept { return number<std::uint64_t>(field); }

bool NdrReader::boolean(std::string_view field) noexcept {
  const std::uint8_t value = u8(field);
  if (value > 1) fail(field, "neither 0 nor 1");
  return value == 1;
}

void NdrReader::null(std::string_view field) noexcept {
  if (u32(field) != 0) fail(field, "not null");
}

NtTime NdrReader::time(std::string_view field) noexcept {
  const std::uint64_t low = u32(field);
  return {low | static_cast<std::uint64_t>(u32(field)) << 32U};
}

Guid NdrReader::guid(std::string_view field) noexcept {
  align(4, field);
  Guid guid;
  std::ranges::copy(take(guid.bytes.size(), field), guid.bytes.begin());
  return guid;
}

Sid NdrReader::sid(std::string_view field) noexcept {
  align(4, field);
  const std::uint8_t revision = u8(field);
  const std::uint8_t count = u8(field);
  std::uint64_t authority = 0;
  for (int i = 0; i < 6; ++i) authority = authority << 8U | u8(field);
  if (!failed() && revision != 1) fail(field, "a SID of another revision than 1");
  if (count > Sid::most_sub_authorities) fail(field, "a SID with more than 15 sub-authorities");
  std::array<std::uint32_t, Sid::most_sub_authorities> numbers{};
  for (std::size_t i = 0; i < count && !failed(); ++i) numbers[i] = u32(field);
  if (failed()) return {};
  int err = 0;
  return Sid::from_parts(authority, std::span(numbers).first(count), err);
}

std::uint32_t NdrReader::count(std::size_t size, std::uint32_t most, std::string_view field) noexcept {
  const std::uint32_t count = u32(field);
  if (count > left() / size) fail(field, "more than the message holds");
  if (count > most) fail(field, "more than are accepted");
  return failed() ? 0 : count;
}

std::string NdrReader::text(std::string_view field) {
  const std::uint32_t room = u32(field);
  const std::uint32_t offset = u32(field);
  const std::uint32_t length = u32(field);
  if (failed()) return {};
  if (offset != 0 || length > room) {
    fail(field, "the counts of the text are wrong");
    return {};
  }
  const std::span<const std::byte> bytes = take(length, field);
  if (failed()) return {};
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.empty() || text.back() != '\0') {
    fail(field, "the text has no end");
    return {};
  }
  text.remove_suffix(1);
  if (!is_ndr_text(text)) {
    fail(field, "not UTF-8, or with a NUL inside");
    return {};
  }
  return std::string(text);
}

SecretBytes NdrReader::blob(std::string_view field) {
  const std::uint32_t size = u32(field);
  return SecretBytes(take(size, field));
}

void NdrReader::end() noexcept {
  if (left() != 0) fail("the end", "bytes follow");
}

template <class Number>
void NdrWriter::number(Number value) noexcept {
  align(sizeof(Number));
  if (!to_.empty())
    for (std::size_t i = 0; i < sizeof(Number); ++i)
      to_[position_ + i] = static_cast<std::byte>(std::uint64_t{value} >> 8U * i & 0xFFU);
  position_ += sizeof(Number);
}

void NdrWriter::u8(std::uint8_t value) noexcept { number(value); }
void NdrWriter::u16(std::uint16_t value) noexcept { number(value); }
void NdrWriter::u32(std::uint32_t value) noexcept { number(value); }
void NdrWriter::u64(std::uint64_t value) noexcept { number(value); }

void NdrWriter::pointer(bool is_set) noexcept {
  u32(is_set ? first_referent + referent_step * pointers_++ : 0);
}

void NdrWriter::time(NtTime value) noexcept {
  u32(static_cast<std::uint32_t>(value.value));
  u32(static_cast<std::uint32_t>(value.value >> 32U));
}

void NdrWriter::guid(const Guid& value) noexcept {
  align(4);
  bytes(value.bytes);
}

void NdrWriter::sid(const Sid& value) noexcept {
  align(4);
  u8(1);
  u8(static_cast<std::uint8_t>(value.sub_authorities().size()));
  for (unsigned shift = 48; shift != 0; shift -= 8)
    u8(static_cast<std::uint8_t>(value.authority() >> (shift - 8)));
  for (const std::uint32_t number : value.sub_authorities()) u32(number);
}

void NdrWriter::text(std::string_view value) noexcept {
  const auto size = static_cast<std::uint32_t>(value.size() + 1);
  u32(size);
  u32(0);
  u32(size);
  bytes(std::as_bytes(std::span(value)));
  u8(0);
}

void NdrWriter::blob(std::span<const std::byte> value) noexcept {
  u32(static_cast<std::uint32_t>(value.size()));
  bytes(value);
}

void NdrWriter::bytes(std::span<const std::byte> value) noexcept {
  if (!to_.empty()) std::ranges::copy(value, to_.begin() + static_cast<std::ptrdiff_t>(position_));
  position_ += value.size();
}

bool is_ndr_text(std::string_view text) noexcept {
  // The least number that needs so many bytes behind the first.
  constexpr std::array<std::uint32_t, 4> least{0x1, 0x80, 0x800, 0x10000};
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i++]);
    if (first >= 0x80 && (first < 0xC2 || first > 0xF4)) return false;
    const std::size_t more = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    if (more > text.size() - i) return false;
    std::uint32_t value = more == 0 ? first : first & (0x3FU >> more);
    for (std::size_t k = 0; k < more; ++k) {
      const auto next = static_cast<unsigned char>(text[i++]);
      if ((next & 0xC0U) != 0x80) return false;
      value = value << 6U | (next & 0x3FU);
    }
    if (value < least[more] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return false;
  }
  return true;
}

}  // namespace tsock::inline v0::npa
