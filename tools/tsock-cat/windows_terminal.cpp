#include <io.h>
#include <windows.h>

#include <iostream>

#include "system.hpp"
#include "terminal.hpp"

namespace tsock_cat {

/// Puts keys through at once until it is destroyed.
class Terminal::Keys {
 public:
  Keys(HANDLE console, DWORD before) : console_(console), before_(before) {
    ::SetConsoleMode(console_, before & ~static_cast<DWORD>(ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT));
  }
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;
  ~Keys() { ::SetConsoleMode(console_, before_); }

 private:
  HANDLE console_;
  DWORD before_;
};

bool Terminal::is_there() { return is_terminal(1); }

Terminal::Terminal() {
  // Of Windows 10; the screen is written by escape sequences.
  constexpr DWORD virtual_terminal = 4;
  DWORD mode = 0;
  const HANDLE output = ::GetStdHandle(STD_OUTPUT_HANDLE);
  if (::GetConsoleMode(output, &mode) != 0) ::SetConsoleMode(output, mode | virtual_terminal);
  const HANDLE input = ::GetStdHandle(STD_INPUT_HANDLE);
  if (::GetConsoleMode(input, &mode) != 0) keys_ = std::make_unique<Keys>(input, mode);
  std::cout << "\x1b[?1049h\x1b[?25l" << std::flush;
}

Terminal::~Terminal() { std::cout << "\x1b[?25h\x1b[?1049l" << std::flush; }

Terminal::Size Terminal::size() const {
  CONSOLE_SCREEN_BUFFER_INFO info{};
  if (::GetConsoleScreenBufferInfo(::GetStdHandle(STD_OUTPUT_HANDLE), &info) == 0) return {};
  return {.rows = static_cast<std::size_t>(info.srWindow.Bottom - info.srWindow.Top + 1),
          .columns = static_cast<std::size_t>(info.srWindow.Right - info.srWindow.Left + 1)};
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
