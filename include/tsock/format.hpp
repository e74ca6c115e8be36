#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <tsock/output.hpp>

/// Formatters of what `output.hpp` prints, and the `output.hpp` of a part that is included beside it, with
/// the options of text ("{:>8}"): for {fmt} if its `fmt/format.h` was included before this header, and for
/// std::format where the standard library has it.

#if defined(FMT_VERSION)
template <tsock::PrintableValue T>
struct fmt::formatter<T> : fmt::formatter<std::string> {
  template <class Context>
  auto format(const T& value, Context& context) const {
    return fmt::formatter<std::string>::format(to_string(value), context);
  }
};

template <tsock::NamedEnum E>
struct fmt::formatter<E> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(E value, Context& context) const {
    return fmt::formatter<std::string_view>::format(name_of(value), context);
  }
};
#endif

#if defined(__has_include)
#if __has_include(<format>)
#include <format>
#endif
#endif

#if defined(__cpp_lib_format)
template <tsock::PrintableValue T>
struct std::formatter<T> : std::formatter<std::string> {
  template <class Context>
  auto format(const T& value, Context& context) const {
    return std::formatter<std::string>::format(to_string(value), context);
  }
};

template <tsock::NamedEnum E>
struct std::formatter<E> : std::formatter<std::string_view> {
  template <class Context>
  auto format(E value, Context& context) const {
    return std::formatter<std::string_view>::format(name_of(value), context);
  }
};
#endif
