#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace tsock::inline v0::detail {

/// What a client of `inspect()` asks for.
struct InspectCommand {
  enum class Kind : std::uint8_t {
    none,  ///< an empty line
    unknown,
    help,
    dump,
    metrics,
    trace,
    callbacks_on,
    callbacks_off,
    quit,
  };
  Kind kind = Kind::unknown;
  bool as_json = false;
  std::chrono::seconds duration{};
};

/// Reads one line, without its line feed; blanks around words do not matter.
[[nodiscard]] InspectCommand read_inspect_command(std::string_view line) noexcept;

}  // namespace tsock::inline v0::detail
