#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "layer/wiped_bytes.hpp"

namespace tsock::inline v0::sasl {

using layer::wipe;
inline void wipe(std::string& text) noexcept {
  wipe(std::as_writable_bytes(std::span(text.data(), text.size())));
  text.clear();
}

/// A string that is wiped.
class Secret {
 public:
  Secret() noexcept = default;
  /// Copies, as a short string that is moved from keeps its bytes.
  explicit Secret(std::string&& text) : text_(text) { wipe(text); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { wipe(text_); }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] std::string& text() noexcept { return text_; }

 private:
  std::string text_;
};

}  // namespace tsock::inline v0::sasl
