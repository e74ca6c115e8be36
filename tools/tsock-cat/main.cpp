#include <fcntl.h>
#ifndef _WIN32
#include <sys/resource.h>
#endif

#include <cerrno>
#include <csignal>
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
#include "transcript.hpp"

namespace {

using tsock_cat::ExitCode;

// Each client of a relay takes two. The soft limit protects programs that use select(2).
void raise_descriptor_limit() {
#ifdef RLIMIT_NOFILE
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
#endif
}

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
  if (parsed.options.keep_listening) raise_descriptor_limit();
  if (parsed.options.scan) return tsock_cat::Scan(services).run();
  tsock_cat::Application application(services);
  return application.run();
}

// Whoever started this process may have closed its standard descriptors. Then there is no input, and output
// goes nowhere; none of the numbers becomes that of a socket or file, which would get the output.
void open_missing_descriptors() {
  for (int number = 0; number <= 2; ++number) {
    if (::fcntl(number, F_GETFD) != -1 || errno != EBADF) continue;
    static_cast<void>(::open("/dev/null", number == 0 ? O_RDONLY : O_WRONLY));
  }
}

}  // namespace

int main(int argc, char** argv) {
  open_missing_descriptors();
#ifdef SIGPIPE
  // Of standard error: whoever reads the report may go, and the transfer goes on.
  std::signal(SIGPIPE, SIG_IGN);
#endif
  try {
    return static_cast<int>(run(argc, argv));
  } catch (const std::exception& error) {
    std::cerr << "tsock-cat: " << error.what() << '\n';
    return static_cast<int>(ExitCode::local_io);
  }
}
