// What a build without GSSAPI says.
#include "security_layer.hpp"

namespace tsock_cat {

std::unique_ptr<SecurityLayer> SecurityLayer::make_gssapi(const Options& options, Failure& failure) {
  if (options.gssapi.target.empty() && !options.gssapi.accepts) return nullptr;
  failure.code = ExitCode::usage;
  failure.what = options.gssapi.accepts ? "--gssapi-accept" : "--gssapi";
  failure.text = "this tsock-cat was built without GSSAPI";
  return nullptr;
}

}  // namespace tsock_cat
