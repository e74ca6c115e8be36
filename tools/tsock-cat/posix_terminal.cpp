#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <iostream>

#include "terminal.hpp"

namespace tsock_cat {

/// Puts keys through at once until it is destroyed.
class Terminal::Keys {
 public:
  explicit Keys(const termios& before) : before_(before) {
    termios changed = before;
    changed.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    changed.c_cc[VMIN] = 1;
    changed.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &changed);
  }
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;
  ~Keys() { ::tcsetattr(STDIN_FILENO, TCSANOW, &before_); }

 private:
  termios before_;
};

bool Terminal::is_there() { return ::isatty(STDOUT_FILENO) == 1; }

Terminal::Terminal() {
  termios before{};
  if (::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before) == 0)
    keys_ = std::make_unique<Keys>(before);
  std::cout << "\x1b[?1049h\x1b[?25l" << std::flush;
}

Terminal::~Terminal() { std::cout << "\x1b[?25h\x1b[?1049l" << std::flush; }

Terminal::Size Terminal::size() const {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) return {};
  return {.rows = size.ws_row, .columns = size.ws_col};
}

bool Terminal::show(const std::vector<std::string>& lines) {
  std::string screen = "\x1b[H";
  for (std::size_t index = 0; index < lines.size(); ++index) {
    if (index != 0) screen += "\r\n";
    screen += lines[index] + "\x1b[K";
  }
  screen += "\x1b[J";
  return static_cast<bool>(std::cout << screen << std::flush);
}

}  // namespace tsock_cat
