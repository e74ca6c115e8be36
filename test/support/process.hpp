#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <tsock/unique_fd.hpp>
#include <utility>
#include <vector>

namespace tsock::test {

/// A child process with pipes on its standard input, output and error. While one is waited for, the pipes of
/// all are served. Nothing waits longer than `patience` seconds: then the test fails. A child that is still
/// there at the end is killed.
class Process {
 public:
  static constexpr int patience = 30;

  /// What the child inherits.
  struct Inherited {
    std::vector<int> closed = {};   ///< standard descriptors that are not there
    std::vector<int> ignored = {};  ///< signals
    std::vector<int> given = {};    ///< descriptors that it gets, under their numbers
  };

  /// The first word is the program, found in PATH.
  explicit Process(std::vector<std::string> words) : Process(std::move(words), {}) {}
  Process(std::vector<std::string> words, const Inherited& inherited);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  /// Queues text for standard input; it is written while something is waited for.
  void write(std::string_view text);
  /// Ends standard input after what was queued.
  void close_input();
  /// Closes our end of its standard output.
  void close_output();
  /// Closes our end of its standard error.
  void close_error();
  void kill(int signum) const;

  /// Waits for a line on standard error that begins so. \return what follows on that line.
  std::string error_line(std::string_view beginning);
  /// Waits for standard output to hold `text`.
  void wait_for_output(std::string_view text);
  /// Waits for standard error to hold `text`.
  void wait_for_error(std::string_view text);
  /// Waits for what can be told from `output()` and `error()`; `what` is said when it does not come.
  void wait_until(const std::function<bool()>& done, std::string_view what) { exchange_until(done, what); }
  /// Waits for standard output to end, but not for the process.
  void wait_for_end_of_output();
  /// Ends standard input and waits for the process. \return its exit status, or minus the signal.
  int finish();
  /// Waits for the process and leaves standard input open.
  int wait();

  /// What came so far.
  [[nodiscard]] const std::string& output() const noexcept { return output_text_; }
  [[nodiscard]] const std::string& error() const noexcept { return error_text_; }

 private:
  void exchange_until(const std::function<bool()>& done, std::string_view what);
  static std::vector<Process*>& running();
  static void exchange_once(int milliseconds);
  [[nodiscard]] bool is_silent() const noexcept;
  void write_some();
  static void read_some(UniqueFd& fd, std::string& text);

  std::string name_;
  pid_t pid_ = -1;
  UniqueFd input_;
  UniqueFd output_;
  UniqueFd error_;
  std::string input_text_;
  bool close_input_ = false;
  std::string output_text_;
  std::string error_text_;
  std::size_t lines_seen_ = 0;  // bytes of standard error that error_line() went past
};

/// Ends the input of all of them, then waits for each. \return how many did not end with status 0.
template <class... Processes>
int finish_all(Processes&... processes) {
  (processes.close_input(), ...);
  return ((processes.wait() != 0 ? 1 : 0) + ...);
}

/// Whether a program is in PATH; if not, says that the test is skipped, and why.
[[nodiscard]] bool has_program(const std::string& name);

/// A folder of its own, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  [[nodiscard]] std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  /// Writes a file of that name, with these permissions whatever the umask. \return its path.
  [[nodiscard]] std::string write(std::string_view name, std::string_view content, mode_t mode = 0600) const;

 private:
  std::string path_;
};

}  // namespace tsock::test
