#pragma once

#include <string>

#include "options.hpp"

namespace CLI {
class App;
}

namespace tsock_cat {

/// Options that belong together: a heading of the help, and a file of their own.
struct OptionGroup {
  const char* name;  ///< the heading; empty for options that the help leaves out
  void (*add)(CLI::App& app, Options& options);
  /// Checks what the parser of single options cannot see. `first_option` is the first one of the group that
  /// was given, or empty. \return false with `error`, a sentence for the user
  bool (*apply)(const std::string& first_option, Options& options, std::string& error);
};

extern const OptionGroup address_options;  ///< also reads the ADDRESSes
extern const OptionGroup scan_options;
extern const OptionGroup inspect_options;  ///< its words are a command
extern const OptionGroup server_options;
extern const OptionGroup proxy_options;
extern const OptionGroup tls_options;
extern const OptionGroup npa_options;
extern const OptionGroup gssapi_options;
extern const OptionGroup sasl_options;
extern const OptionGroup datagram_options;
extern const OptionGroup end_options;
extern const OptionGroup time_options;
extern const OptionGroup message_options;
extern const OptionGroup measure_options;  ///< after the messages: it looks at them
extern const OptionGroup transcript_options;
extern const OptionGroup report_options;
extern const OptionGroup foreign_options;  ///< of other programs: each has an advice

}  // namespace tsock_cat
