#pragma once

#include <algorithm>
#include <string>
#include <tsock/address.hpp>
#include <tsock/output.hpp>

/// Formatters of addresses and of the enumerations in `output.hpp`, without any options: for {fmt} if its
/// `fmt/format.h` was included before this header, and for std::format where the standard library has it.

#if defined(FMT_VERSION)
template <>
struct fmt::formatter<tsock::Address> : fmt::formatter<std::string> {
  template <class Context>
  auto format(const tsock::Address& address, Context& context) const {
    return fmt::formatter<std::string>::format(address.to_string(), context);
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
template <>
struct std::formatter<tsock::Address> : std::formatter<std::string> {
  template <class Context>
  auto format(const tsock::Address& address, Context& context) const {
    return std::formatter<std::string>::format(address.to_string(), context);
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
