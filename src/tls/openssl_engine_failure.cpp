// What an OpenSslEngine makes of OpenSSL's errors.

#include <openssl/err.h>

#include <cerrno>
#include <new>
#include <utility>

#include "tls/openssl_engine.hpp"

namespace tsock::inline v0::tls {

namespace {

// OpenSSL 3.2 and later put this behind the cause.
bool hides_cause([[maybe_unused]] unsigned long code) noexcept {
#ifdef SSL_R_RECORD_LAYER_FAILURE
  return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_RECORD_LAYER_FAILURE;
#else
  return false;
#endif
}

}  // namespace

// The first fault is the cause of all others.
int OpenSslEngine::fail(int err, std::string_view why) noexcept {
  try {
    if (reason_.empty()) reason_ = why;
    return err;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

void OpenSslEngine::refuse(std::string why) noexcept {
  is_refused_ = true;
  reason_ = std::move(why);
}

// Where close_notify may be missing, OpenSSL takes any end for one in order. It reads no byte beyond the
// record, so what it has then is a part of one: of the header, or all of the header ("read body").
bool OpenSslEngine::is_inside_record() const noexcept {
  return transfer_.at_end &&
         (SSL_has_pending(ssl_.get()) == 1 || std::string_view(SSL_rstate_string(ssl_.get())) == "RB");
}

int OpenSslEngine::failure(int result) noexcept {
  const int kind = SSL_get_error(ssl_.get(), result);
  if (transfer_.out_of_memory) {
    ERR_clear_error();
    return ENOMEM;
  }
  if (kind == SSL_ERROR_WANT_READ) return 0;
  if (kind == SSL_ERROR_ZERO_RETURN)
    return is_inside_record() ? fail(EPROTO, "the peer has ended the connection inside a record") : EPIPE;
  const char* const words = words_for_psk();
  OpenSslError error = take_error(EPROTO);
  if (error.err == ENOMEM || SSL_get_verify_result(ssl_.get()) == X509_V_ERR_OUT_OF_MEM) return ENOMEM;
  if (is_refused_) return EACCES;
  return fail(error.err, words != nullptr ? std::string_view(words) : error.reason);
}

// As failure(), of a call for data before which the queue was not cleared: the newest of its errors alone can
// be of this call. Without any, SSL_get_error() takes a fatal alert of the peer for a close_notify, while
// OpenSSL is in its handshake again, and a shortage of memory for what the call before has waited for.
int OpenSslEngine::uncleared_failure(int result) noexcept {
  unsigned long newest = 0;
  while (const unsigned long code = ERR_get_error()) {
    if (!hides_cause(code)) newest = code;
  }
  if (transfer_.is_starved && !transfer_.out_of_memory) return 0;
  const bool is_end =
      SSL_get_error(ssl_.get(), result) == SSL_ERROR_ZERO_RETURN && SSL_in_init(ssl_.get()) == 0;
  if (!is_end && newest != 0) ERR_raise(ERR_GET_LIB(newest), ERR_GET_REASON(newest));
  return failure(result);
}

// A write never waits for input here.
int OpenSslEngine::write_failure() noexcept {
  const int err = failure(-1);
  return err != 0 ? err : EPROTO;
}

// What OpenSSL finds wrong is sometimes only what follows from it.
const char* OpenSslEngine::words_for_psk() const noexcept {
  const unsigned long first = ERR_peek_error();
  if (ERR_GET_LIB(first) != ERR_LIB_SSL || is_done_) return nullptr;
  switch (ERR_GET_REASON(first)) {
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_CIPHER:
      return is_server() && !context_->has_identity() ? "no pre-shared key that both sides have" : nullptr;
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
      return psk_identity().empty() ? nullptr : "the peer has another pre-shared key";
    default:
      return nullptr;
  }
}

void OpenSslEngine::end_reading(int err) noexcept {
  read_error_ = err;
  // After an alert, sent or received, OpenSSL writes nothing more either.
  if (err != EPIPE && write_error_ == 0) write_error_ = err;
}

}  // namespace tsock::inline v0::tls
