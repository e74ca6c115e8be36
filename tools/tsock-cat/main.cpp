#include <exception>
#include <iostream>
#include <tsock/loop.hpp>

#include "application.hpp"
#include "exit_code.hpp"
#include "inspector.hpp"
#include "options.hpp"
#include "proxies.hpp"
#include "report.hpp"
#include "scan.hpp"
#include "services.hpp"
#include "system.hpp"
#include "transcript.hpp"

namespace {

using tsock_cat::ExitCode;

ExitCode run(int argc, const char* const* argv) {
  const tsock_cat::ParsedCommandLine parsed = tsock_cat::parse_command_line(argc, argv);
  tsock_cat::Report report(parsed.options, std::cerr);
  if (parsed.failed) {
    tsock_cat::Failure failure;
    failure.code = ExitCode::usage;
    failure.what = parsed.text;
    report.failed(failure);
    if (!report.is_json()) std::cerr << "tsock-cat: --help tells what is possible\n";
    return failure.code;
  }
  if (!parsed.run) {
    std::cout << parsed.text;
    return std::cout.flush() ? ExitCode::ok : ExitCode::local_io;
  }
  tsock_cat::Transcript transcript(parsed.options, report);
  tsock::Loop loop;
  loop.set_logger(nullptr);  // standard output belongs to the payload
  if (parsed.options.inspect) return tsock_cat::Inspector(loop, parsed.options, report).run();
  tsock_cat::Failure failure;
  const auto tls = tsock_cat::Tls::make(parsed.options, report, failure);
  const auto npa = failure ? nullptr : tsock_cat::Npa::make(parsed.options, failure);
  const auto gssapi = failure ? nullptr : tsock_cat::SecurityLayer::make_gssapi(parsed.options, failure);
  const auto sasl = failure ? nullptr : tsock_cat::SecurityLayer::make_sasl(parsed.options, failure);
  const auto proxies = failure ? nullptr : tsock_cat::Proxies::make(parsed.options, failure);
  if (failure) {
    report.failed(failure);
    return failure.code;
  }
  const tsock_cat::Services services{loop,      parsed.options, report,     transcript,   tls.get(),
                                     npa.get(), gssapi.get(),   sasl.get(), proxies.get()};
  // Each client of a relay takes two.
  if (parsed.options.keep_listening) tsock_cat::raise_descriptor_limit();
  if (parsed.options.scan) return tsock_cat::Scan(services).run();
  tsock_cat::Application application(services);
  return application.run();
}

}  // namespace

int main(int argc, char** argv) {
  tsock_cat::open_missing_descriptors();
  // Of standard error: whoever reads the report may go, and the transfer goes on.
  tsock_cat::ignore_broken_pipes();
  try {
    return static_cast<int>(run(argc, argv));
  } catch (const std::exception& error) {
    std::cerr << "tsock-cat: " << error.what() << '\n';
    return static_cast<int>(ExitCode::local_io);
  }
}
