#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace tsock_cat {

using Duration = std::chrono::nanoseconds;

/// Reads "90", "1.5s", "250ms", "2m", "1h"; a number without a unit is seconds. No value for anything else: a
/// sign, a space, an unknown unit, more than a year.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);

/// "250 ms", "1.5 s", "2 m", "1 h": the largest unit in which the number is at least 1, three decimals at
/// most.
[[nodiscard]] std::string format_duration(Duration duration);

/// A whole decimal number that fits; no value for anything else.
[[nodiscard]] std::optional<unsigned long> parse_number(std::string_view text, unsigned long maximum);

/// How long a signal, or another end from outside, waits for what was written; see `Options::linger`.
inline constexpr Duration short_linger = std::chrono::seconds(1);

}  // namespace tsock_cat
