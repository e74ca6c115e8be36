#pragma once

#include <cstdint>

namespace tsock::inline v0 {

/// Where in the caller's source an operation was started; shown by `Loop::dump()` and the trace.
///
/// A defaulted `CallSite` parameter records the line of the call. It replaces `std::source_location`, which
/// clang 14 does not have.
class CallSite {
 public:
  constexpr CallSite() noexcept = default;

  /// The place of the call; use it as a default argument.
  static constexpr CallSite current(
      const char* file = __builtin_FILE(),
      std::uint32_t line = static_cast<std::uint32_t>(__builtin_LINE())) noexcept {
    return at(file, line);
  }
  /// A place from its parts.
  static constexpr CallSite at(const char* file, std::uint32_t line) noexcept {
    CallSite site;
    site.file_ = file;
    site.line_ = line;
    return site;
  }

  /// The file's path as the compiler saw it; never null.
  [[nodiscard]] constexpr const char* file() const noexcept { return file_; }
  /// The line, from 1; 0 when unknown.
  [[nodiscard]] constexpr std::uint32_t line() const noexcept { return static_cast<std::uint32_t>(line_); }

 private:
  const char* file_ = "";
  std::uint64_t line_ = 0;  // a whole word: padding behind it would cost every call instructions
};

}  // namespace tsock::inline v0
