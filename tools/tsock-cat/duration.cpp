#include "duration.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace tsock_cat {
namespace {

struct Unit {
  std::string_view name;
  double seconds;
};

// Largest first, for printing.
constexpr std::array<Unit, 4> units{{{"h", 3600}, {"m", 60}, {"s", 1}, {"ms", 0.001}}};

constexpr double longest = 366.0 * 24 * 3600;

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  const std::size_t digits = text.find_first_not_of("0123456789.");
  const std::string_view number = text.substr(0, digits);
  const std::string_view name = digits == std::string_view::npos ? "s" : text.substr(digits);
  if (number.empty() || number.front() == '.' || number.back() == '.') return std::nullopt;

  double value = 0;
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), value, std::chars_format::fixed);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;

  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    const double seconds = value * unit.seconds;
    if (seconds > longest) return std::nullopt;
    return Duration(std::llround(seconds * 1e9));
  }
  return std::nullopt;
}

std::string format_duration(Duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  const Unit* chosen = &units.back();
  for (const Unit& unit : units) {
    if (seconds >= unit.seconds) {
      chosen = &unit;
      break;
    }
  }
  std::array<char, 40> number{};
  const int size = std::snprintf(number.data(), number.size(), "%.3f", seconds / chosen->seconds);
  std::string text(number.data(), static_cast<std::size_t>(size));
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text.append(" ").append(chosen->name);
}

std::optional<unsigned long> parse_number(std::string_view text, unsigned long maximum) {
  unsigned long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > maximum) return std::nullopt;
  return value;
}

}  // namespace tsock_cat
