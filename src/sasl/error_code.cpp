#include <array>
#include <cerrno>
#include <tsock/sasl/error_code.hpp>

#include "core/base/worded_category.hpp"

namespace tsock::inline v0::sasl {

namespace {

using Words = detail::WordedCategory::Words;

constexpr std::array meanings{
    Words{EACCES, "the name, the password, the ticket or the proof of the peer is refused"},
    Words{ENOTSUP, "no mechanism is possible and allowed, or no half-close"},
    Words{EHOSTUNREACH, "what the mechanism has to ask cannot be reached"},
    Words{EPROTO, "the peer does not keep to the mechanism, or was cut off in a message"},
    Words{EMSGSIZE, "a message is announced as empty or longer than is allowed"},
    Words{EBADMSG, "a message was changed, repeated, left out or moved"},
    Words{EINVAL, "an option or a setting that cannot be used"},
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const detail::WordedCategory category("tsock-sasl", meanings);
  return category;
}

}  // namespace tsock::inline v0::sasl
