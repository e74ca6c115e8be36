// What a build without SASL says.
#include "security_layer.hpp"

namespace tsock_cat {

std::unique_ptr<SecurityLayer> SecurityLayer::make_sasl(const Options& options, Failure& failure) {
  if (options.sasl.mechanism.empty() && !options.sasl.accepts) return nullptr;
  failure.code = ExitCode::usage;
  failure.what = options.sasl.accepts ? "--sasl-accept" : "--sasl";
  failure.text = "this tsock-cat was built without SASL";
  return nullptr;
}

}  // namespace tsock_cat
