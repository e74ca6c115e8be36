// What a build without NPA says.
#include <algorithm>

#include "npa.hpp"

namespace tsock_cat {

std::unique_ptr<Npa> Npa::make(const Options& options, Failure& failure) {
  const auto& endpoints = options.endpoints;
  const auto found = std::find_if(endpoints.begin(), endpoints.end(),
                                  [](const Endpoint& endpoint) { return endpoint.is_npa; });
  if (found == endpoints.end()) return nullptr;
  failure.code = ExitCode::usage;
  failure.what = found->text;
  failure.text = "this tsock-cat was built without NPA";
  return nullptr;
}

}  // namespace tsock_cat
