#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "layer/wiped_bytes.hpp"

namespace tsock::inline v0::layer {

inline void wipe(std::string& text) noexcept {
  wipe(std::as_writable_bytes(std::span(text.data(), text.size())));
  text.clear();
}

/// Text that is wiped when it goes, such as a password. For bytes there is WipedBytes.
class WipedText {
 public:
  WipedText() noexcept = default;
  explicit WipedText(std::string_view text) : text_(text) {}
  explicit WipedText(std::span<const std::byte> bytes)
      : text_(reinterpret_cast<const char*>(bytes.data()), bytes.size()) {}
  /// Copies, as a short string that is moved from keeps its bytes; `text` is wiped.
  explicit WipedText(std::string&& text) : text_(text) { wipe(text); }
  WipedText(const WipedText&) = delete;
  WipedText& operator=(const WipedText&) = delete;
  ~WipedText() { wipe(text_); }

  /// With a NUL behind it.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return std::as_bytes(std::span(text_)); }
  /// Characters that move leave nothing behind. Throws std::bad_alloc.
  void append(std::string_view more) {
    if (text_.capacity() - text_.size() < more.size()) {
      std::string grown;
      grown.reserve(std::max(2 * text_.size(), text_.size() + more.size()));
      grown += text_;
      wipe(text_);
      text_.swap(grown);
    }
    text_ += more;
  }

 private:
  std::string text_;
};

}  // namespace tsock::inline v0::layer
