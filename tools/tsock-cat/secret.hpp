#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"

namespace tsock_cat {

/// A text that is wiped when it goes, such as a password.
class Secret {
 public:
  Secret() noexcept = default;
  explicit Secret(std::string_view text) : characters_(text.begin(), text.end()) {}
  Secret(Secret&& other) noexcept { characters_.swap(other.characters_); }
  Secret& operator=(Secret&& other) noexcept {
    characters_.swap(other.characters_);  // the other one wipes it
    return *this;
  }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  [[nodiscard]] std::string_view text() const noexcept { return {characters_.data(), characters_.size()}; }
  /// Characters that move leave nothing behind.
  void append(std::string_view more);
  /// Without what follows the first line.
  [[nodiscard]] Secret first_line() const;

 private:
  std::vector<char> characters_;
};

/// ExitCode::local_io for a file. \param text instead of the errno value's, or empty
[[nodiscard]] Failure file_failure(const std::string& path, const std::string& text, int err);

/// The content of a file with a secret. One that others can read or write is refused unless that is allowed.
[[nodiscard]] std::optional<Secret> read_secret(const std::string& path, bool allow_readable,
                                                Failure& failure);

/// What can be read from a descriptor up to its end; it is closed then.
[[nodiscard]] std::optional<Secret> read_secret_from(int descriptor, Failure& failure);

/// The value of an environment variable, which is removed: programs that this one starts do not get it. To be
/// called before there are other threads.
[[nodiscard]] std::optional<Secret> take_secret_variable(const char* name);

}  // namespace tsock_cat
