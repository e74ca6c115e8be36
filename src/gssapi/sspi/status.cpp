#include "gssapi/sspi/status.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>

namespace tsock::inline v0::gssapi {

namespace {

struct Meaning {
  SECURITY_STATUS status;
  int err;
  std::string_view words;
};

constexpr std::array meanings{
    Meaning{SEC_E_INSUFFICIENT_MEMORY, ENOMEM, "there is no memory"},
    Meaning{SEC_E_NO_CREDENTIALS, EACCES, "there are no credentials, or no tickets"},
    Meaning{SEC_E_UNKNOWN_CREDENTIALS, EACCES, "the credentials are not known"},
    Meaning{SEC_E_INCOMPLETE_CREDENTIALS, EACCES, "the credentials are not complete"},
    Meaning{SEC_E_NOT_OWNER, EACCES, "the credentials belong to somebody else"},
    Meaning{SEC_E_LOGON_DENIED, EACCES, "the logon is denied"},
    Meaning{SEC_E_TARGET_UNKNOWN, EACCES, "the service is unknown"},
    Meaning{SEC_E_WRONG_PRINCIPAL, EACCES, "the service has not the key of the name"},
    Meaning{SEC_E_MUTUAL_AUTH_FAILED, EACCES, "the server has not proved who it is"},
    Meaning{SEC_E_BAD_BINDINGS, EACCES, "the channel bindings are others"},
    Meaning{SEC_E_TIME_SKEW, EACCES, "the clocks differ too much"},
    Meaning{SEC_E_NO_AUTHENTICATING_AUTHORITY, EHOSTUNREACH, "no KDC answers"},
    Meaning{SEC_E_CONTEXT_EXPIRED, ETIME, "the ticket has expired"},
    Meaning{SEC_E_SECPKG_NOT_FOUND, EINVAL, "the system has no such security package"},
    Meaning{SEC_E_INVALID_PARAMETER, EINVAL, "a parameter is invalid"},
    Meaning{SEC_E_INVALID_HANDLE, EINVAL, "a handle is invalid"},
    Meaning{SEC_E_QOP_NOT_SUPPORTED, EINVAL, "the package has no such protection"},
    Meaning{SEC_E_INVALID_TOKEN, EPROTO, "a token is malformed"},
    Meaning{SEC_E_MESSAGE_ALTERED, EPROTO, "a token was changed"},
    Meaning{SEC_E_OUT_OF_SEQUENCE, EPROTO, "a token is out of its turn"},
    Meaning{SEC_E_UNSUPPORTED_FUNCTION, EACCES, "the package cannot do it"},
    Meaning{SEC_E_INTERNAL_ERROR, EACCES, "the package has failed"},
    Meaning{SEC_E_KDC_UNKNOWN_ETYPE, EACCES, "the KDC has no such encryption"},
    Meaning{SEC_E_DOWNGRADE_DETECTED, EACCES, "somebody asks for less protection than was agreed on"},
};

const Meaning* find_meaning(SECURITY_STATUS status) noexcept {
  const auto* const found = std::ranges::find(meanings, status, &Meaning::status);
  return found != meanings.end() ? found : nullptr;
}

}  // namespace

std::string status_text(SECURITY_STATUS status) {
  // The number is what one finds in Microsoft's pages.
  std::array<char, 2 * sizeof status> digits{};
  constexpr int hexadecimal = 16;
  const auto code = static_cast<unsigned long>(status);
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), code, hexadecimal).ptr;
  const Meaning* const meaning = find_meaning(status);
  std::string text(meaning != nullptr ? meaning->words : "SSPI has failed");
  return text.append(" (0x").append(digits.data(), end).append(")");
}

int handshake_errno(SECURITY_STATUS status) noexcept {
  const Meaning* const meaning = find_meaning(status);
  return meaning != nullptr ? meaning->err : EACCES;
}

}  // namespace tsock::inline v0::gssapi
