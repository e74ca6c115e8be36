#pragma once

#include <tsock/export.hpp>

namespace tsock::inline v0 {

class Loop;

namespace detail {

/// Throws std::logic_error.
[[noreturn]] TSOCK_EXPORT void throw_without_loop();

/// The loop of a front; throws std::logic_error if it has none.
[[nodiscard]] inline Loop& checked_loop(Loop* loop) {
  if (loop == nullptr) throw_without_loop();
  return *loop;
}

}  // namespace detail

}  // namespace tsock::inline v0
