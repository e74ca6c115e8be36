#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <tsock/loop.hpp>
#include <tsock/pdu.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

#include "failure.hpp"
#include "inspect_view.hpp"
#include "options.hpp"
#include "report.hpp"
#include "terminal.hpp"

namespace tsock_cat {

/// Looks into a daemon that has called `tsock::inspect()`: one answer, or a screen that is refreshed.
class Inspector {
 public:
  Inspector(tsock::Loop& loop, const Options& options, Report& report);
  Inspector(const Inspector&) = delete;
  Inspector& operator=(const Inspector&) = delete;
  ~Inspector();

  ExitCode run();

 private:
  void watch_signal(int signum, tsock::Request<int>& request);
  void connected();
  void copy_answer();
  void print(std::string_view text);
  void end_of_answer();
  void watch();
  void refresh();
  void on_dump(tsock::Request<tsock::Pdu>& request);
  void count_silence(std::chrono::seconds so_far);
  void draw();
  void show();
  void read_key();
  void ask(std::string_view command);
  void fail_silent();
  void fail(ExitCode code, std::string what, int err);
  void end(ExitCode code);

  tsock::Loop& loop_;
  const Options& options_;
  Report& report_;
  ExitCode code_ = ExitCode::ok;
  tsock::Stream stream_;
  tsock::Request<tsock::Stream> connecting_;
  tsock::Request<int> interrupt_;
  tsock::Request<int> terminate_;
  std::string question_;
  tsock::Request<ssize_t> asking_;
  std::array<std::byte, 65536> buffer_{};
  tsock::Request<ssize_t> reading_;
  std::string held_;       // the end of the answer so far: an error, or a line feed
  bool is_begun_ = false;  // more of the answer was printed
  InspectView view_;
  std::unique_ptr<Terminal> terminal_;
  tsock::Request<tsock::Pdu> dump_;
  tsock::Request<void> pause_;
  tsock::Request<void> silence_;
  tsock::Stream keys_;
  std::array<std::byte, 1> key_{};
  tsock::Request<ssize_t> key_reading_;
  bool toggles_callbacks_ = false;
};

}  // namespace tsock_cat
