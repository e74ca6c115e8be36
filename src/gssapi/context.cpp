#include "gssapi/context.hpp"

#include <algorithm>
#include <cerrno>

namespace tsock::inline v0::gssapi {

Context::Context(const ConnectOptions& options)
    : initiates_(true),
      target_text_(options.target),
      mechanism_text_(options.mechanism),
      credentials_(options.credentials),
      protection_(options.protection),
      bindings_(options.channel_bindings),
      wants_mutual_(options.mutual) {}

Context::Context(const AcceptOptions& options)
    : initiates_(false),
      mechanism_text_(options.mechanism),
      credentials_(options.credentials),
      protection_(options.protection),
      bindings_(options.channel_bindings) {}

int Context::refuse(int err, std::string_view reason) {
  reason_ = reason;
  return err;
}

int Context::check_lifetime() {
  if (expiry_ == Clock::time_point::max() || Clock::now() < expiry_) return 0;
  return refuse(ETIME, expired_context);
}

std::chrono::seconds Context::lifetime() const {
  if (expiry_ == Clock::time_point::max()) return std::chrono::seconds::max();
  return std::max(std::chrono::floor<std::chrono::seconds>(expiry_ - Clock::now()), std::chrono::seconds(0));
}

}  // namespace tsock::inline v0::gssapi
