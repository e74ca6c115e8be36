#pragma once

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "support/process.hpp"

namespace tsock::test {

/// A terminal whose screen can be looked at, with one program in it.
class Tmux {
 public:
  static constexpr int columns = 120;
  static constexpr int rows = 30;

  /// The command is for a shell, and shows the exit status itself where that matters: tmux does not always
  /// know it.
  explicit Tmux(const std::string& command) {
    ask({"-f", "/dev/null", "new-session", "-d", "-x", std::to_string(columns), "-y", std::to_string(rows),
         "exec sh", ";", "set-option", "-g", "remain-on-exit", "on", ";", "respawn-pane", "-k", command});
  }
  Tmux(const Tmux&) = delete;
  Tmux& operator=(const Tmux&) = delete;
  ~Tmux() { ask({"kill-server"}); }

  /// Keys by the names that tmux has for them.
  void type(const std::string& keys) { ask({"send-keys", keys}); }
  void resize(int width, int height) {
    ask({"resize-window", "-x", std::to_string(width), "-y", std::to_string(height)});
  }
  [[nodiscard]] std::string screen() { return ask({"capture-pane", "-p"}); }
  /// Waits until the screen shows the text. \return the screen
  std::string wait_for(const std::string& text) {
    return wait_until([&text](const std::string& shown) { return shown.find(text) != std::string::npos; },
                      text);
  }
  template <class Done>
  std::string wait_until(Done done, const std::string& what) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(Process::patience);
    for (;;) {
      const std::string shown = screen();
      if (done(shown)) return shown;
      BOOST_TEST_REQUIRE((std::chrono::steady_clock::now() < end), "awaited: " << what << "\n" << shown);
    }
  }

 private:
  std::string ask(std::vector<std::string> words) {
    words.insert(words.begin(), {"tmux", "-S", folder_.file("socket")});
    Process tmux(words);
    BOOST_TEST(tmux.finish() == 0, tmux.error());
    return tmux.output();
  }

  TemporaryFolder folder_;
};

}  // namespace tsock::test
