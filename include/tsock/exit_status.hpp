#pragma once

namespace tsock::inline v0 {

/// How a child process has ended (wait(2)).
struct ExitStatus {
  int code = -1;             ///< what it gave to exit(3); -1 when a signal ended it
  int signal = 0;            ///< the signal that ended it, or 0
  bool dumped_core = false;  ///< it left an image of its memory behind

  [[nodiscard]] bool is_success() const noexcept { return code == 0; }
  friend bool operator==(const ExitStatus&, const ExitStatus&) noexcept = default;
};

}  // namespace tsock::inline v0
