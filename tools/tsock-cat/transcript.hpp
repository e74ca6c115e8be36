#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <span>
#include <string>
#include <utility>

#include "options.hpp"
#include "pcapng_file.hpp"
#include "report.hpp"

namespace tsock_cat {

/// The record of all bytes that --hex, --text and --dump ask for: into a file, or among the reports.
class Transcript {
 public:
  /// The report must outlive the transcript.
  Transcript(const Options& options, Report& report);

  /// Opens the file, if there is to be one. \return 0 or an errno value.
  [[nodiscard]] int open();
  /// `on_failure` gets an errno value when the file takes no more; nothing is recorded from then on.
  void set_on_failure(std::function<void(int err)> on_failure) { on_failure_ = std::move(on_failure); }
  /// Closes the file. \return 0 or an errno value, of what could not be written.
  [[nodiscard]] int close();
  /// Whether anything is recorded at all.
  [[nodiscard]] bool is_on() const noexcept { return form_ != DumpForm::none; }
  /// A connection begins and ends: of interest to a capture.
  void begin(std::uint64_t connection, const CaptureEnds& ends);
  void end(std::uint64_t connection);
  /// `offset` is the number of bytes that went this way on this connection before; `from` is empty, or the
  /// sender of the datagram that the bytes are. No bytes are an empty datagram.
  void record(std::uint64_t connection, Direction direction, std::uint64_t offset,
              std::span<const std::byte> bytes, const tsock::Address& from = {});

 private:
  void check(int err);

  DumpForm form_;
  std::string path_;
  std::ofstream file_;
  PcapngFile capture_;
  std::function<void(int)> on_failure_;
  bool numbered_;  // several connections: say which
  Report& report_;
};

}  // namespace tsock_cat
