#include "tls/openssl.hpp"

#include <openssl/err.h>

#include <cerrno>
#include <new>

namespace tsock::inline v0::tls {

namespace {

// OpenSSL's own words are for those who know its functions.
const char* words_for(unsigned long code) noexcept {
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return nullptr;
  switch (ERR_GET_REASON(code)) {
    case SSL_R_HTTP_REQUEST:
      return "the peer speaks HTTP, not TLS";
    case SSL_R_HTTPS_PROXY_REQUEST:
      return "the peer speaks to an HTTP proxy, not TLS";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_UNKNOWN_PROTOCOL:
      return "the peer does not speak TLS";
    case SSL_R_UNSUPPORTED_PROTOCOL:
      return "no version of TLS that both sides allow";
    case SSL_R_NO_SHARED_CIPHER:
      return "no cipher that both sides allow";
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return "the peer has ended the connection without a close_notify";
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return "no protocol of ALPN that both sides have";
    case SSL_R_PSK_IDENTITY_NOT_FOUND:
      return "no pre-shared key that both sides have";
    case SSL_R_BINDER_DOES_NOT_VERIFY:
      return "the peer has another pre-shared key";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return "the peer has sent no certificate";
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
      return "a record was changed on its way";
    case SSL_R_NO_RENEGOTIATION:
      return "renegotiation is refused";
    default:
      return nullptr;
  }
}

bool is_missing_certificate(unsigned long code) noexcept {
  return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;
}

// An alert is one byte; behind the alerts come reasons that all parts of OpenSSL have.
bool is_alert(unsigned long code) noexcept {
  constexpr int last = SSL_AD_REASON_OFFSET + 255;
  return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET &&
         ERR_GET_REASON(code) <= last;
}

bool is_out_of_memory(unsigned long code) noexcept { return ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE; }

}  // namespace

OpenSslError take_error(int err) noexcept {
  OpenSslError result{.err = err, .reason = {}};
  const unsigned long first = ERR_peek_error();
  if (is_missing_certificate(first)) result.err = EACCES;
  bool without_memory = false;
  while (const unsigned long code = ERR_get_error())
    without_memory = without_memory || is_out_of_memory(code);
  if (without_memory) result.err = ENOMEM;
  try {
    if (const char* const words = words_for(first); words != nullptr) {
      result.reason = words;
    } else if (first != 0) {
      const char* const reason = ERR_reason_error_string(first);
      result.reason = is_alert(first) ? "the peer refuses: " : "";
      result.reason += reason != nullptr ? reason : "unknown error of OpenSSL";
    }
  } catch (const std::bad_alloc&) {
    result.err = ENOMEM;
  }
  return result;
}

void clear_errors() noexcept {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

}  // namespace tsock::inline v0::tls
