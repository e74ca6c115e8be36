#include "transcript.hpp"

#include <cerrno>
#include <ios>

#include "hexdump.hpp"

namespace tsock_cat {

Transcript::Transcript(const Options& options, Report& report)
    : form_(options.dump_form),
      path_(options.dump_file),
      numbered_(options.keep_listening),
      report_(report) {}

int Transcript::open() {
  if (path_.empty()) return 0;
  if (form_ == DumpForm::pcapng) return capture_.open(path_);
  errno = 0;
  file_.open(path_, std::ios::binary | std::ios::trunc);
  if (file_) return 0;
  return errno != 0 ? errno : EIO;
}

void Transcript::begin(std::uint64_t connection, const CaptureEnds& ends) {
  if (form_ == DumpForm::pcapng) check(capture_.begin(connection, ends));
}

void Transcript::end(std::uint64_t connection) {
  if (form_ == DumpForm::pcapng) check(capture_.end(connection));
}

// A file that takes no more is told of once.
void Transcript::check(int err) {
  if (err == 0) return;
  form_ = DumpForm::none;
  if (on_failure_) on_failure_(err);
}

int Transcript::close() {
  if (form_ == DumpForm::pcapng && capture_.is_open()) return capture_.close();
  if (!file_.is_open()) return 0;
  errno = 0;
  file_.close();
  if (file_) return 0;
  return errno != 0 ? errno : EIO;
}

void Transcript::record(std::uint64_t connection, Direction direction, std::uint64_t offset,
                        std::span<const std::byte> bytes, const tsock::Address& from) {
  if (!is_on()) return;
  if (form_ == DumpForm::pcapng) return check(capture_.record(connection, direction, bytes, from));
  std::string prefix = report_.timestamp();
  if (numbered_) prefix += std::to_string(connection) + " ";
  prefix += direction == Direction::sent ? "> " : "< ";
  std::string lines = prefix + "(empty datagram)\n";
  if (!bytes.empty()) {
    lines = form_ == DumpForm::hex ? hex_lines(prefix, offset, bytes) : text_lines(prefix, bytes);
  }
  if (path_.empty()) {
    report_.data(connection, direction, offset, bytes, from, lines);
  } else {
    errno = 0;
    file_ << lines;
    if (!file_.flush()) check(errno != 0 ? errno : EIO);
  }
}

}  // namespace tsock_cat
