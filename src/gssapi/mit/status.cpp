#include "gssapi/mit/status.hpp"

#include <krb5.h>

#include <cerrno>

#include "gssapi/mit/handles.hpp"

namespace tsock::inline v0::gssapi {

namespace {

void append_texts(std::string& text, OM_uint32 status, int kind, gss_OID mechanism) {
  OM_uint32 more = 0;
  do {
    OM_uint32 minor = 0;
    GssBuffer words;
    if (gss_display_status(&minor, status, kind, mechanism, &more, words.place()) != GSS_S_COMPLETE) return;
    const auto bytes = words.bytes();
    if (!text.empty() && !bytes.empty()) text += ": ";
    for (const std::byte byte : bytes) {
      const auto character = std::to_integer<char>(byte);
      text += character >= ' ' && character <= '~' ? character : '?';
    }
  } while (more != 0);
}

}  // namespace

std::string status_text(OM_uint32 major, OM_uint32 minor, gss_OID mechanism) {
  std::string text;
  // "Unspecified GSS failure" says nothing that the minor status does not.
  if (GSS_ROUTINE_ERROR(major) != GSS_S_FAILURE || minor == 0)
    append_texts(text, major, GSS_C_GSS_CODE, GSS_C_NO_OID);
  if (minor != 0) append_texts(text, minor, GSS_C_MECH_CODE, mechanism);
  return text;
}

int handshake_errno(OM_uint32 major, OM_uint32 minor) noexcept {
  if (GSS_CALLING_ERROR(major) != 0) return EINVAL;
  switch (static_cast<krb5_error_code>(minor)) {
    case KRB5_KDC_UNREACH:
    case KRB5_REALM_UNKNOWN:
    case KRB5_REALM_CANT_RESOLVE:
      return EHOSTUNREACH;
    case KRB5KRB_AP_ERR_TKT_EXPIRED:
    case KRB5KDC_ERR_KEY_EXP:
    case KRB5KDC_ERR_NAME_EXP:
      return ETIME;
    case ENOMEM:
      return ENOMEM;
    default:
      break;
  }
  switch (GSS_ROUTINE_ERROR(major)) {
    case GSS_S_CREDENTIALS_EXPIRED:
    case GSS_S_CONTEXT_EXPIRED:
      return ETIME;
    case GSS_S_BAD_MECH:
    case GSS_S_BAD_NAME:
    case GSS_S_BAD_NAMETYPE:
    case GSS_S_BAD_QOP:
      return EINVAL;
    case GSS_S_DEFECTIVE_TOKEN:
    case GSS_S_BAD_SIG:
    case GSS_S_NO_CONTEXT:
      return EPROTO;
    default:
      return EACCES;
  }
}

}  // namespace tsock::inline v0::gssapi
