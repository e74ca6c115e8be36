#include "sasl/errors.hpp"

#include <sasl/sasl.h>

#include <cerrno>

namespace tsock::inline v0::sasl {

int errno_of(int result) noexcept {
  switch (result) {
    case SASL_OK:
    case SASL_CONTINUE:
      return 0;
    case SASL_NOMEM:
      return ENOMEM;
    case SASL_NOMECH:
      return ENOTSUP;
    case SASL_BADPROT:
      return EPROTO;
    case SASL_BUFOVER:
      return EMSGSIZE;
    case SASL_BADPARAM:
    case SASL_NOTDONE:
    case SASL_NOTINIT:
    case SASL_INTERACT:
    case SASL_CONFIGERR:
      return EINVAL;
    case SASL_TRYAGAIN:
    case SASL_UNAVAIL:
      return EHOSTUNREACH;
    default:
      return EACCES;
  }
}

std::string printable(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string result;
  result.reserve(text.size());
  for (const char character : text) {
    const auto value = static_cast<unsigned char>(character);
    if (value >= 0x20 && value < 0x7f) {
      result += character;
    } else {
      result += "\\x";
      result += digits[value >> 4U];
      result += digits[value & 0xfU];
    }
  }
  return result;
}

}  // namespace tsock::inline v0::sasl
