#include <CLI/CLI.hpp>

#include "option_group.hpp"

namespace tsock_cat {
namespace {

void add_transcript_options(CLI::App& app, Options& options) {
  auto* const hex = app.add_flag_callback(
      "--hex", [&options] { options.dump_form = DumpForm::hex; },
      "Transcript of all bytes in hexadecimal, on standard error");
  app.add_flag_callback(
         "--text", [&options] { options.dump_form = DumpForm::text; },
         "Transcript as text, unprintable bytes escaped")
      ->excludes(hex);
  app.add_option("--dump", options.dump_file,
                 "Write the transcript to FILE; to FILE.pcapng a capture for Wireshark")
      ->type_name("FILE");
  app.add_flag("--timestamps", options.timestamps, "Time of day before each line of transcript and report");
}

bool apply_transcript(const std::string& /*first_option*/, Options& options, std::string& error) {
  const bool is_capture = options.dump_file.ends_with(".pcapng");
  if (is_capture && options.dump_form != DumpForm::none)
    error = "--dump FILE.pcapng is a capture; --hex and --text are for other files";
  if (options.dump_form == DumpForm::none && !options.dump_file.empty())
    options.dump_form = is_capture ? DumpForm::pcapng : DumpForm::hex;
  return error.empty();
}

}  // namespace

const OptionGroup transcript_options{"Transcript", add_transcript_options, apply_transcript};

}  // namespace tsock_cat
