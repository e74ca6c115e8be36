#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <tsock/export.hpp>
#include <type_traits>

namespace tsock::inline v0 {

/// Text that may be absent, as a parameter: from any string, from a C string that may be null, from `nullptr`
/// or `std::nullopt`. The function defines what null means; it never dereferences it. Refers to the caller's
/// text, as std::string_view does.
class TSOCK_EXPORT OptionalText {
 public:
  /// Absent.
  constexpr OptionalText() noexcept = default;
  // NOLINTBEGIN(google-explicit-constructor): a parameter type, written as the text itself
  constexpr OptionalText(std::nullptr_t) noexcept {}
  constexpr OptionalText(std::nullopt_t) noexcept {}
  constexpr OptionalText(const char* text) noexcept
      : text_(text != nullptr ? std::string_view(text) : std::string_view()), present_(text != nullptr) {}
  template <class T>
  requires(std::is_convertible_v<const T&, std::string_view> &&
           !std::is_convertible_v<const T&, const char*>) constexpr OptionalText(const T& text)
      : text_(text), present_(true) {}
  template <class T>
  requires(std::is_convertible_v<const T&, std::string_view>) constexpr OptionalText(
      const std::optional<T>& text)
      : text_(text ? std::string_view(*text) : std::string_view()), present_(text.has_value()) {}
  // NOLINTEND(google-explicit-constructor)

  [[nodiscard]] constexpr bool has_value() const noexcept { return present_; }
  /// The text; empty when there is none.
  [[nodiscard]] constexpr std::string_view text() const noexcept { return text_; }

 private:
  std::string_view text_;
  bool present_ = false;
};

}  // namespace tsock::inline v0
