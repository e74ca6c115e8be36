#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <tsock/inspect.hpp>
#include <tsock/stream.hpp>
#include <tsock/trace_writer.hpp>
#include <utility>

#include "core/insight/inspect_command.hpp"
#include "core/loop/background.hpp"

namespace tsock::inline v0::detail {

/// One client of `inspect()`: reads a command, writes the answer, reads the next one.
class InspectSession {
 public:
  InspectSession(Stream stream, const InspectOptions& options, CallSite site);
  InspectSession(const InspectSession&) = delete;
  InspectSession& operator=(const InspectSession&) = delete;
  ~InspectSession() = default;

  /// `over()` is called when the client is gone or was dropped, and destroys this.
  void set_over(std::function<void()> over) { over_ = std::move(over); }
  /// May call `over()`.
  void go_on();

 private:
  static constexpr std::size_t longest_line = 256;  // with the line feed

  template <class F>
  void or_over(F step);
  bool take_line(std::string_view& line);
  void read();
  void on_read(Request<ssize_t>& request);
  void answer(std::string_view line);
  void write(std::string text);
  void trace(std::chrono::seconds duration);
  void stop_trace();
  void end();

  Stream stream_;
  InspectOptions options_;
  CallSite site_;  // of the call of `inspect()`
  std::function<void()> over_;
  std::array<std::byte, longest_line> buffer_{};
  std::size_t filled_ = 0;
  std::size_t used_ = 0;  // bytes of the line that was taken last
  bool at_end_ = false;   // the client sends no more
  bool ends_ = false;     // after the answer that is being written
  Background<ssize_t> reading_;
  Background<ssize_t> writing_;
  Background<void> pause_;
  TraceWriter trace_;
  Background<void> stopping_;
};

}  // namespace tsock::inline v0::detail
