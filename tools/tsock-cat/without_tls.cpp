// What a build without TLS says.
#include <algorithm>

#include "tls.hpp"

namespace tsock_cat {

std::unique_ptr<Tls> Tls::make(const Options& options, Report& /*report*/, Failure& failure) {
  const auto& endpoints = options.endpoints;
  const auto found = std::find_if(endpoints.begin(), endpoints.end(),
                                  [](const Endpoint& endpoint) { return endpoint.is_tls; });
  if (found == endpoints.end() && !options.proxy.endpoint.is_tls) return nullptr;
  failure.code = ExitCode::usage;
  failure.what = found != endpoints.end() ? found->text : options.proxy.endpoint.text;
  failure.text = "this tsock-cat was built without TLS";
  return nullptr;
}

}  // namespace tsock_cat
