#include <CLI/CLI.hpp>
#include <cmath>

#include "duration_option.hpp"
#include "option_group.hpp"

namespace tsock_cat {
namespace {

// "800k", "1.5M", "2Gi": powers of ten, or of 1024.
std::optional<std::uint64_t> parse_rate(const std::string& text) {
  const std::size_t unit_at = text.find_first_not_of("0123456789.");
  const std::string number = text.substr(0, unit_at);
  std::string unit = unit_at == std::string::npos ? "" : text.substr(unit_at);
  if (number.empty() || number.front() == '.' || number.find('.') != number.rfind('.')) return std::nullopt;
  if (unit.ends_with("/s")) unit.resize(unit.size() - 2);
  double factor = 1;
  const std::string prefixes = "kMG";
  if (!unit.empty() && prefixes.find(unit.front()) != std::string::npos) {
    const bool is_binary = unit.size() > 1 && unit[1] == 'i';
    factor = std::pow(is_binary ? 1024.0 : 1000.0, static_cast<double>(prefixes.find(unit.front()) + 1));
    unit.erase(0, is_binary ? 2 : 1);
  }
  const double rate = std::stod(number) * factor;
  if (!(unit.empty() || unit == "B") || rate < 1 || rate > 1e15) return std::nullopt;
  return static_cast<std::uint64_t>(rate);
}

void add_measure_options(CLI::App& app, Options& options) {
  const auto set_rate = [&options](const std::string& text) {
    options.rate = parse_rate(text);
    if (!options.rate)
      throw CLI::ValidationError("--rate", text + " is not bytes a second, such as 500k or 2M");
  };
  app.add_option_function<std::string>("--rate", set_rate,
                                       "At most so many bytes a second each way: 500k, 2M")
      ->type_name("BYTES/s");
  add_duration(app, "--bench", options.bench,
               "Send zeros as fast as it goes for that long, and say how fast");
  app.add_option("--ping", options.pings, "Time N messages and their answers, one after the other")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, std::size_t{10000000}));
  app.add_option("--ping-text", options.ping_text, "What each of them is (64 bytes of text)")
      ->type_name("TEXT");
}

bool apply_measure(const std::string& /*first_option*/, Options& options, std::string& error) {
  const auto& local = options.endpoints.front();
  const bool is_alone = local.kind == Endpoint::Kind::stdio;
  const bool times = options.bench || options.pings;
  if (times && (!is_alone || options.keep_listening)) {
    error = std::string(options.bench ? "--bench" : "--ping") +
            " is for one ADDRESS, and takes the place of the input";
  } else if (options.bench && options.pings) {
    error = "--bench and --ping exclude each other";
  } else if (!options.ping_text.empty() && !options.pings) {
    error = "--ping-text needs --ping";
  } else if (options.bench && *options.bench <= Duration::zero()) {
    error = "--bench needs a time";
  } else if (options.rate && options.keep_listening && is_alone) {
    error = "--rate and -k exclude each other with standard input and output";
  } else if (options.bench && (options.pdu || options.crlf)) {
    error = "--bench sends bytes as they are, without --pdu and -C";
  }
  if (!error.empty()) return false;
  if (options.bench) {
    options.endpoints.front().kind = Endpoint::Kind::zero;
    options.endpoints.front().text = "zero:";
  }
  return true;
}

}  // namespace

const OptionGroup measure_options{"Measure", add_measure_options, apply_measure};

}  // namespace tsock_cat
