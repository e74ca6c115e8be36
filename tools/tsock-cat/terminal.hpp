#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace tsock_cat {

/// The screen of a terminal that is written over again and again, on standard output. While this lives, the
/// terminal shows its other screen, and keys come at once and are not echoed.
class Terminal {
 public:
  struct Size {
    std::size_t rows = 24;
    std::size_t columns = 80;
  };

  /// Whether standard output is a terminal.
  [[nodiscard]] static bool is_there();

  Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal();

  [[nodiscard]] Size size() const;
  /// Whether keys can be read from standard input.
  [[nodiscard]] bool has_keys() const noexcept { return keys_ != nullptr; }
  /// \return false when the terminal is gone
  [[nodiscard]] bool show(const std::vector<std::string>& lines);

 private:
  class Keys;
  std::unique_ptr<Keys> keys_;
};

}  // namespace tsock_cat
