#include <array>
#include <cerrno>
#include <tsock/gssapi/error_code.hpp>

#include "core/base/worded_category.hpp"

namespace tsock::inline v0::gssapi {

namespace {

using Words = detail::WordedCategory::Words;

constexpr std::array meanings{
    Words{EACCES,
          "credentials, a service, a key or channel bindings are refused, or the protection is too weak"},
    Words{ETIME, "a ticket, the credentials or the context has expired"},
    Words{EHOSTUNREACH, "no KDC answers"},
    Words{EPROTO, "the peer does not speak GSSAPI, or was cut off in a message"},
    Words{EMSGSIZE, "a token or message is empty or longer than is allowed"},
    Words{EBADMSG, "a message was changed, repeated or late, or one is missing"},
    Words{EINVAL, "an option or a name that cannot be used"},
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const detail::WordedCategory category("tsock-gssapi", meanings);
  return category;
}

}  // namespace tsock::inline v0::gssapi
