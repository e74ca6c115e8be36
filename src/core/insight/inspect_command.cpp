#include "core/insight/inspect_command.hpp"

#include <array>
#include <charconv>
#include <cstddef>

namespace tsock::inline v0::detail {

namespace {

constexpr std::string_view blanks = " \t\r";

// Takes the next word off the front; empty at the end.
std::string_view take_word(std::string_view& line) noexcept {
  const std::size_t begin = line.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return line = {};
  line.remove_prefix(begin);
  const std::string_view word = line.substr(0, line.find_first_of(blanks));
  line.remove_prefix(word.size());
  return word;
}

bool read_seconds(std::string_view word, std::chrono::seconds& duration) noexcept {
  if (word.ends_with('s')) word.remove_suffix(1);
  std::uint32_t count = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), count);
  if (error != std::errc() || end != word.data() + word.size() || count == 0) return false;
  duration = std::chrono::seconds(count);
  return true;
}

}  // namespace

InspectCommand read_inspect_command(std::string_view line) noexcept {
  using Kind = InspectCommand::Kind;
  const std::string_view verb = take_word(line);
  const std::string_view what = take_word(line);
  const std::string_view unit = take_word(line);
  if (!take_word(line).empty()) return {};
  if (verb.empty()) return {.kind = Kind::none};
  if (verb == "trace") {
    InspectCommand command{.kind = Kind::trace};
    const bool is_good = (unit.empty() || unit == "seconds" || unit == "second" || unit == "s") &&
                         read_seconds(what, command.duration);
    return is_good ? command : InspectCommand{};
  }
  if (!unit.empty()) return {};
  if (verb == "dump" || verb == "metrics") {
    if (!what.empty() && what != "json") return {};
    return {.kind = verb == "dump" ? Kind::dump : Kind::metrics, .as_json = !what.empty()};
  }
  if (verb == "callbacks") {
    if (what == "on") return {.kind = Kind::callbacks_on};
    if (what == "off") return {.kind = Kind::callbacks_off};
    return {};
  }
  if (!what.empty()) return {};
  if (verb == "help") return {.kind = Kind::help};
  if (verb == "quit") return {.kind = Kind::quit};
  return {};
}

}  // namespace tsock::inline v0::detail
