#include "proxy/crc32c.hpp"

#include <array>

namespace tsock::inline v0::proxy {

namespace {

constexpr std::uint32_t reversed_polynomial = 0x82f63b78;

constexpr std::array<std::uint32_t, 256> make_crc_table() noexcept {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1U ^ ((value & 1U) != 0 ? reversed_polynomial : 0);
    table[i] = value;
  }
  return table;
}

constexpr std::array<std::uint32_t, 256> crc_table = make_crc_table();

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before) noexcept {
  std::uint32_t value = ~before;
  for (const std::byte byte : bytes)
    value = value >> 8U ^ crc_table[(value ^ std::to_integer<std::uint32_t>(byte)) & 0xffU];
  return ~value;
}

}  // namespace tsock::inline v0::proxy
