#include "gssapi/mit/mechanism_oid.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

namespace tsock::inline v0::gssapi {

namespace {

struct KnownMechanism {
  std::string_view name;
  std::string_view numbers;
};
constexpr std::array known_mechanisms{
    KnownMechanism{"kerberos", "1.2.840.113554.1.2.2"},
    KnownMechanism{"spnego", "1.3.6.1.5.5.2"},
    KnownMechanism{"ntlm", "1.3.6.1.4.1.311.2.2.10"},
};

constexpr unsigned bits_a_byte = 7;
constexpr unsigned low_bits = 0x7f;
constexpr unsigned more_follows = 0x80;
constexpr std::uint32_t arcs_of_first = 40;  // X.690 8.19.4

void append_number(std::vector<unsigned char>& bytes, std::uint32_t number) {
  std::array<unsigned char, 5> digits{};
  std::size_t count = 0;
  do {
    digits[count] = static_cast<unsigned char>((number & low_bits) | (count != 0 ? more_follows : 0U));
    ++count;
    number >>= bits_a_byte;
  } while (number != 0);
  while (count != 0) bytes.push_back(digits[--count]);
}

}  // namespace

bool MechanismOid::parse(std::string_view text) {
  bytes_.clear();
  for (const KnownMechanism& known : known_mechanisms) {
    if (known.name == text) text = known.numbers;
  }
  std::vector<std::uint32_t> numbers;
  while (true) {
    std::uint32_t number = 0;
    const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (err != std::errc()) return false;
    numbers.push_back(number);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.empty()) break;
    if (text.front() != '.') return false;
    text.remove_prefix(1);
  }
  if (numbers.size() < 2 || numbers[0] > 2 || (numbers[0] < 2 && numbers[1] >= arcs_of_first)) return false;
  if (numbers[1] > std::numeric_limits<std::uint32_t>::max() - 2 * arcs_of_first) return false;
  append_number(bytes_, numbers[0] * arcs_of_first + numbers[1]);
  for (const std::uint32_t number : std::span(numbers).subspan(2)) append_number(bytes_, number);
  return true;
}

gss_OID MechanismOid::get() noexcept {
  if (bytes_.empty()) return GSS_C_NO_OID;
  oid_ = {static_cast<OM_uint32>(bytes_.size()), bytes_.data()};
  return &oid_;
}

bool MechanismOid::operator==(gss_OID other) const noexcept {
  return other != GSS_C_NO_OID && other->length == bytes_.size() &&
         std::memcmp(other->elements, bytes_.data(), bytes_.size()) == 0;
}

std::string MechanismOid::text_of(gss_OID oid) {
  if (oid == GSS_C_NO_OID || oid->length == 0) return {};
  const std::span bytes(static_cast<const unsigned char*>(oid->elements), oid->length);
  std::string text;
  std::uint64_t number = 0;
  for (const unsigned char byte : bytes) {
    number = number << bits_a_byte | (byte & low_bits);
    if ((byte & more_follows) != 0) continue;
    if (text.empty()) {
      const std::uint64_t first = std::min<std::uint64_t>(number / arcs_of_first, 2);
      text = std::to_string(first);
      number -= first * arcs_of_first;
    }
    text += '.' + std::to_string(number);
    number = 0;
  }
  for (const KnownMechanism& known : known_mechanisms) {
    if (known.numbers == text) return std::string(known.name);
  }
  return text;
}

}  // namespace tsock::inline v0::gssapi
