#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <tsock/error.hpp>

namespace tsock::inline v0::detail {

/// A category of errno values of which some mean something more exact than elsewhere; the others are those of
/// `tsock::error_category()`.
class WordedCategory final : public std::error_category {
 public:
  struct Words {
    int err;
    std::string_view text;
  };
  WordedCategory(const char* name, std::span<const Words> words) noexcept : name_(name), words_(words) {}

  [[nodiscard]] const char* name() const noexcept override { return name_; }
  [[nodiscard]] std::string message(int err) const override {
    const auto place =
        std::find_if(words_.begin(), words_.end(), [err](const Words& one) { return one.err == err; });
    if (place == words_.end()) return error_text(err);
    return std::string(error_name(err)).append(": ").append(place->text);
  }
  [[nodiscard]] std::error_condition default_error_condition(int err) const noexcept override {
    return {err, std::generic_category()};
  }

 private:
  const char* name_;
  std::span<const Words> words_;
};

}  // namespace tsock::inline v0::detail
