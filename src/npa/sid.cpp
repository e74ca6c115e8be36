#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <ostream>
#include <tsock/npa/sid.hpp>

namespace tsock::inline v0::npa {

namespace {

constexpr std::uint64_t largest_decimal_authority = 0xFFFFFFFF;
constexpr std::size_t most_hexadecimal_digits = 12;

/// Takes a number from the front of a text. \return whether there is one
template <class Number>
bool take_number(std::string_view& text, Number& number, int base) noexcept {
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (err != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take_authority(std::string_view& text, std::uint64_t& authority) noexcept {
  if (!text.starts_with("0x") && !text.starts_with("0X"))
    return take_number(text, authority, 10) && authority <= Sid::largest_authority;
  text.remove_prefix(2);
  const std::size_t before = text.size();
  return take_number(text, authority, 16) && before - text.size() <= most_hexadecimal_digits;
}

}  // namespace

Sid Sid::from_parts(std::uint64_t authority, std::span<const std::uint32_t> sub_authorities,
                    int& err) noexcept {
  Sid sid;
  err = sub_authorities.size() > most_sub_authorities || authority > largest_authority ? EINVAL : 0;
  if (err != 0) return sid;
  sid.authority_ = authority;
  sid.count_ = static_cast<std::uint8_t>(sub_authorities.size());
  std::ranges::copy(sub_authorities, sid.sub_authorities_.begin());
  return sid;
}

Sid Sid::parse(std::string_view text, int& err) noexcept {
  err = EINVAL;
  if (!text.starts_with("S-1-") && !text.starts_with("s-1-")) return {};
  text.remove_prefix(4);
  std::uint64_t authority = 0;
  if (!take_authority(text, authority)) return {};
  std::array<std::uint32_t, most_sub_authorities> numbers{};
  std::size_t count = 0;
  while (!text.empty()) {
    if (count == numbers.size() || text.front() != '-') return {};
    text.remove_prefix(1);
    if (!take_number(text, numbers[count++], 10)) return {};
  }
  return from_parts(authority, std::span(numbers).first(count), err);
}

std::string Sid::to_string() const {
  std::string text = "S-1-";
  if (authority_ > largest_decimal_authority) {
    std::array<char, 24> number{};
    static_cast<void>(std::snprintf(number.data(), number.size(), "0x%012llx",
                                    static_cast<unsigned long long>(authority_)));
    text += number.data();
  } else {
    text += std::to_string(authority_);
  }
  for (const std::uint32_t number : sub_authorities()) {
    text += '-';
    text += std::to_string(number);
  }
  return text;
}

std::size_t Sid::hash() const noexcept {
  // FNV-1a over the numbers.
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto mix = [&hash](std::uint64_t number) { hash = (hash ^ number) * 0x100000001b3; };
  mix(authority_);
  for (const std::uint32_t number : sub_authorities()) mix(number);
  return static_cast<std::size_t>(hash);
}

std::ostream& operator<<(std::ostream& out, const Sid& sid) { return out << sid.to_string(); }

}  // namespace tsock::inline v0::npa
