#include "options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <tsock/datagram.hpp>
#include <tsock/version.hpp>
#include <utility>

#include "option_group.hpp"

namespace tsock_cat {
namespace {

constexpr const char* description =
    "Copies bytes and datagrams between a network endpoint and standard input and output, or between two\n"
    "endpoints.\n"
    "\n"
    "ADDRESS is one of\n"
    "  tcp://HOST:PORT   tcp-listen://[HOST]:PORT            host port      as with netcat\n"
    "  tls://HOST:PORT   tls-listen://[HOST]:PORT            TLS over TCP\n"
    "  unix:///PATH      unix-listen:///PATH                 host:port      as --announce prints it\n"
    "  unix-abstract://NAME   unix-abstract-listen://NAME\n"
    "  pipe:NAME         pipe-listen:NAME                    a named pipe of Windows\n"
    "  npa:///DIR?pipe=NAME   npa-listen:///DIR?pipe=NAME    a named pipe of Samba\n"
    "  udp://HOST:PORT   udp-listen://[HOST]:PORT            host port      with -u\n"
    "  unix-dgram:///PATH     unix-dgram-listen:///PATH\n"
    "  unix-abstract-dgram://NAME   unix-abstract-dgram-listen://NAME\n"
    "  fd:N              file:PATH[?mode=r|w|a|rw]           -              standard input and output\n"
    "  echo:             discard:          zero:             gives back, takes everything, gives zeros\n"
    "  'exec:PROGRAM ARGUMENTS'                              a program, for each connection its own";

constexpr const char* footer =
    "Times are seconds, or have a unit: 250ms, 1.5s, 2m, 1h.\n"
    "Exit status: 0 ended as asked, 1 usage, 2 resolve or connect, 3 bind or listen, 4 timeout, 5 reset,\n"
    "6 TLS and other security, 7 local input or output, 8 scan: nothing open, 130 interrupted.";

// In the order of the help, which is also that in which they are checked: what others look at comes first.
constexpr std::array groups{&foreign_options, &inspect_options, &address_options,  &scan_options,
                            &server_options,  &proxy_options,   &datagram_options, &end_options,
                            &time_options,    &message_options, &measure_options,  &transcript_options,
                            &report_options,  &tls_options,     &npa_options,      &gssapi_options,
                            &sasl_options};

// The first option of the group that was given, or nothing.
std::string first_option_of(const CLI::App& app, std::string_view group) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group() == group && option->count() != 0) return option->get_name();
  }
  return {};
}

// A scan connects directly and sends nothing: what it finds would not be about what these options ask for.
bool may_scan_with(const OptionGroup& group, const CLI::App& app, std::string& error) {
  constexpr std::array others{&proxy_options, &message_options, &measure_options, &tls_options,
                              &npa_options,   &gssapi_options,  &sasl_options};
  if (std::find(others.begin(), others.end(), &group) == others.end()) return true;
  const std::string given = first_option_of(app, group.name);
  if (!given.empty()) error = "-z does not go with " + given;
  return given.empty();
}

bool apply(const CLI::App& app, Options& options, std::string& error) {
  return std::all_of(groups.begin(), groups.end(), [&](const OptionGroup* group) {
    // The others are about connections, and their endpoints.
    if (!options.inspect_text.empty() && group != &inspect_options && group != &foreign_options) return true;
    if (options.scan && group != &address_options && group != &scan_options)
      return may_scan_with(*group, app, error);
    return group->apply == nullptr || group->apply(first_option_of(app, group->name), options, error);
  });
}

// For -V -v.
std::string capabilities_text() {
  const tsock::DatagramCapabilities datagrams = tsock::Datagram::capabilities();
  const auto has = [](bool it) { return it ? "yes" : "no"; };
  return std::string("parts: ") + TSOCK_CAT_PARTS + "\nbuilt with: " + TSOCK_CAT_LIBRARIES +
         "\ndatagrams: several in one system call " + has(datagrams.batches) + ", UDP_SEGMENT " +
         has(datagrams.send_offload) + ", UDP_GRO " + has(datagrams.receive_offload) + "\n";
}

// "--stats 1s" is what fingers type: no host has such a name.
std::vector<std::string> joined_words(std::vector<std::string> words) {
  for (std::size_t i = 0; i + 1 < words.size() && words[i] != "--"; ++i) {
    const std::string& next = words[i + 1];
    const bool has_unit = next.find_first_not_of("0123456789.") != std::string::npos;
    if (words[i] != "--stats" || !has_unit || !parse_duration(next)) continue;
    words[i] += "=" + next;
    words.erase(words.begin() + static_cast<std::ptrdiff_t>(i) + 1);
  }
  return words;
}

// Names and types as they are written in manuals, without the notes that CLI11 adds.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    std::string name = CLI::Formatter::make_option_name(option, is_positional);
    const std::size_t value = name.find('{');  // a flag that may have a value
    return value == std::string::npos ? name : name.substr(0, value) + "[=TIME]";
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_type_size() == 0) return {};
    const std::string type = option->get_type_name();
    return " " + type.substr(0, type.find(':'));
  }
};

}  // namespace

ParsedCommandLine parse_command_line(int argc, const char* const* argv) {
  std::vector<std::string> words =
      joined_words(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
  CLI::App app(description, "tsock-cat");
  app.footer(footer);
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_version_flag("-V,--version", "tsock-cat " + std::string(tsock::version));
  ParsedCommandLine parsed;
  Options& options = parsed.options;
  app.add_option("ADDRESS", options.words, "One or two endpoints")->type_name("");
  for (const OptionGroup* group : groups) {
    app.option_defaults()->group(group->name);
    group->add(app, options);
  }
  try {
    std::reverse(words.begin(), words.end());  // as the parser wants them
    app.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    parsed.text = app.help();
    return parsed;
  } catch (const CLI::CallForVersion& version) {
    parsed.text = std::string(version.what()) + "\n";
    if (app.count("--verbose") > 0) parsed.text += capabilities_text();
    return parsed;
  } catch (const CLI::ParseError& error) {
    parsed.failed = true;
    parsed.text = error.what();
    // Also a wrong command line is reported as JSON when that was asked for.
    options.json =
        std::any_of(argv, argv + argc, [](const char* word) { return std::string_view(word) == "--json"; });
    return parsed;
  }
  parsed.failed = !apply(app, options, parsed.text);
  parsed.run = !parsed.failed;
  return parsed;
}

}  // namespace tsock_cat
