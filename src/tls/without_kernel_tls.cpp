#include <cerrno>

#include "tls/kernel_tls.hpp"

namespace tsock::inline v0::tls {

int give_keys_to_kernel(NativeSocket /*socket*/, const TrafficKeys& /*keys*/) noexcept { return EOPNOTSUPP; }

ssize_t send_record_by_kernel(NativeSocket /*socket*/, std::uint8_t /*type*/,
                              std::span<const std::byte> /*content*/, int& err) noexcept {
  err = EOPNOTSUPP;
  return -1;
}

}  // namespace tsock::inline v0::tls
