#include <array>
#include <cerrno>
#include <tsock/tls/error_code.hpp>

#include "core/base/worded_category.hpp"

namespace tsock::inline v0::tls {

namespace {

using Words = detail::WordedCategory::Words;

constexpr std::array meanings{
    Words{EACCES, "a certificate, a key or the name of the peer is refused"},
    Words{EPROTO, "the peer refuses, does not speak TLS, breaks its rules, or was cut off"},
    Words{EINVAL, "an option, a certificate or a key that cannot be used"},
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const detail::WordedCategory category("tsock-tls", meanings);
  return category;
}

}  // namespace tsock::inline v0::tls
