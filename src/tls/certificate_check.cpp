#include "tls/certificate_check.hpp"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <span>
#include <string_view>
#include <utility>

#include "tls/openssl_engine.hpp"
#include "tls/printable.hpp"

namespace tsock::inline v0::tls {

namespace {

constexpr std::string_view pin_prefix = "sha256//";
constexpr long ocsp_clock_skew = 300;  // seconds
constexpr std::size_t most_names_shown = 8;

std::string names_of(X509* certificate) {
  std::string text;
  const GeneralNamesPointer names = alternative_names(*certificate);
  std::size_t count = 0;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
    if (count == most_names_shown) {
      text += ", and more";
      break;
    }
    if (count++ != 0) text += ", ";
    text += printable_name(*name);
  }
  return count != 0 ? text : "no name at all (a common name does not count)";
}

std::string expected_name(X509_STORE_CTX& store) {
  X509_VERIFY_PARAM* const expected = X509_STORE_CTX_get0_param(&store);
  if (const char* const host = X509_VERIFY_PARAM_get0_host(expected, 0); host != nullptr) return host;
  char* const ip = X509_VERIFY_PARAM_get1_ip_asc(expected);
  std::string text = ip != nullptr ? ip : "";
  OPENSSL_free(ip);
  return text;
}

std::string refusal(X509_STORE_CTX& store) {
  const int error = X509_STORE_CTX_get_error(&store);
  X509* const current = X509_STORE_CTX_get_current_cert(&store);
  X509* const own = X509_STORE_CTX_get0_cert(&store);
  std::string text = "the peer's certificate is refused: ";
  text += X509_verify_cert_error_string(error);
  if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    text += ": it is for " + names_of(own) + ", not for " + expected_name(store);
  } else if (X509* const certificate = current != nullptr ? current : own; certificate != nullptr) {
    const int depth = X509_STORE_CTX_get_error_depth(&store);
    text += depth > 0 ? " (" + std::to_string(depth) + " above it, " : " (";
    text += subject_of(certificate) + ')';
  }
  return text;
}

OpenSslEngine& engine_of(X509_STORE_CTX& store) noexcept {
  const int index = SSL_get_ex_data_X509_STORE_CTX_idx();
  return OpenSslEngine::of(static_cast<SSL*>(X509_STORE_CTX_get_ex_data(&store, index)));
}

// The list of a CA further up is looked into when there is one.
int forgive_missing_list(int result, X509_STORE_CTX* store) noexcept {
  if (result == 1 || X509_STORE_CTX_get_error(store) != X509_V_ERR_UNABLE_TO_GET_CRL ||
      X509_STORE_CTX_get_error_depth(store) == 0)
    return result;
  X509_STORE_CTX_set_error(store, X509_V_OK);
  return 1;
}

}  // namespace

std::string subject_of(const X509* certificate) {
  std::string subject = printable_name(X509_get_subject_name(certificate));
  if (subject.empty()) subject = "without a subject";
  return subject;
}

int CertificateCheck::add_pin(const std::string& pin, std::string& reason) {
  // 32 bytes are 44 characters, the last one of which is a filler.
  std::array<unsigned char, 33> bytes{};
  const std::string_view base64 = std::string_view(pin).substr(std::min(pin.size(), pin_prefix.size()));
  if (!pin.starts_with(pin_prefix) || base64.size() != 44 || !base64.ends_with('=') ||
      base64.find('=') != base64.size() - 1 ||
      EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(base64.data()), 44) != 33) {
    reason = R"(a pinned key is "sha256//" and 32 bytes in base64, not ")" + pin + '"';
    return EINVAL;
  }
  std::copy_n(bytes.begin(), sizeof(Pin), pins_.emplace_back().begin());
  return 0;
}

void CertificateCheck::install(SSL_CTX& context, int mode) const noexcept {
  const bool needs_all_lists = level_ == VerifyLevel::as_strict_as_possible;
  SSL_CTX_set_verify(&context, mode, needs_all_lists ? nullptr : forgive_missing_list);
  SSL_CTX_set_cert_verify_callback(
      &context,
      [](X509_STORE_CTX* store, void* check) {
        return static_cast<const CertificateCheck*>(check)->verify(*store);
      },
      const_cast<CertificateCheck*>(this));
}

int CertificateCheck::verify(X509_STORE_CTX& store) const noexcept {
  try {
    OpenSslEngine& engine = engine_of(store);
    const bool is_good = X509_verify_cert(&store) == 1;
    if (!is_good && X509_STORE_CTX_get_error(&store) == X509_V_OK)
      X509_STORE_CTX_set_error(&store, X509_V_ERR_UNSPECIFIED);
    if (!is_good && level_ != VerifyLevel::no_check) {
      engine.refuse(refusal(store));
      return 0;
    }
    if (engine.needs_psk()) {
      X509_STORE_CTX_set_error(&store, X509_V_ERR_APPLICATION_VERIFICATION);
      engine.refuse("the server does not know the pre-shared key, and no name is given for its certificate");
      return 0;
    }
    if (has_pins() && !has_pinned_key(store, is_good)) {
      X509_STORE_CTX_set_error(&store, X509_V_ERR_APPLICATION_VERIFICATION);
      engine.refuse("the peer's certificate is refused: its key is none of the pinned ones (" +
                    subject_of(X509_STORE_CTX_get0_cert(&store)) + ')');
      return 0;
    }
    return 1;
  } catch (const std::bad_alloc&) {
    X509_STORE_CTX_set_error(&store, X509_V_ERR_OUT_OF_MEM);
    return 0;
  }
}

// A chain that was not verified proves only that the peer has the key of its own certificate.
bool CertificateCheck::has_pinned_key(X509_STORE_CTX& store, bool is_verified) const noexcept {
  if (!is_verified) return is_pinned(X509_STORE_CTX_get0_cert(&store));
  STACK_OF(X509)* const chain = X509_STORE_CTX_get0_chain(&store);
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    if (is_pinned(sk_X509_value(chain, i))) return true;
  }
  return false;
}

bool CertificateCheck::is_pinned(X509* certificate) const noexcept {
  Pin hash{};
  return hash_public_key(*certificate, hash) && std::find(pins_.begin(), pins_.end(), hash) != pins_.end();
}

// ---- OCSP ----

namespace {

// By the issuer, or by a responder to whom it has given that purpose. The chain was verified, and revocation
// lists say nothing of a responder.
bool is_signed_by(OCSP_BASICRESP& response, STACK_OF(X509) & chain, X509& issuer) noexcept {
  const OpenSslPointer<X509_STORE> trusted(X509_STORE_new());
  if (trusted == nullptr || X509_STORE_add_cert(trusted.get(), &issuer) != 1 ||
      X509_STORE_set_flags(trusted.get(), X509_V_FLAG_PARTIAL_CHAIN) != 1)
    return false;
  return OCSP_basic_verify(&response, &chain, trusted.get(), 0) == 1;
}

// \return what is wrong with the response, or null
const char* ocsp_fault(SSL& ssl, std::span<const unsigned char> bytes) noexcept {
  const unsigned char* data = bytes.data();
  const OpenSslPointer<OCSP_RESPONSE> response(
      d2i_OCSP_RESPONSE(nullptr, &data, static_cast<long>(bytes.size())));
  if (response == nullptr) return "it cannot be read";
  if (OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
    return "the CA's server has failed";
  const OpenSslPointer<OCSP_BASICRESP> basic(OCSP_response_get1_basic(response.get()));
  if (basic == nullptr) return "it cannot be read";
  // At VerifyLevel::no_check there may be no verified chain.
  STACK_OF(X509)* chain = SSL_get0_verified_chain(&ssl);
  if (sk_X509_num(chain) < 1) return "there is no verified chain to check it with";
  X509* const own = sk_X509_value(chain, 0);
  X509* const issuer = sk_X509_value(chain, sk_X509_num(chain) > 1 ? 1 : 0);
  if (!is_signed_by(*basic, *chain, *issuer)) return "its signature is not valid";
  const OpenSslPointer<OCSP_CERTID> id(OCSP_cert_to_id(nullptr, own, issuer));
  int status = 0;
  int why = 0;
  ASN1_GENERALIZEDTIME* revoked = nullptr;
  ASN1_GENERALIZEDTIME* updated = nullptr;
  ASN1_GENERALIZEDTIME* next = nullptr;
  if (id == nullptr ||
      OCSP_resp_find_status(basic.get(), id.get(), &status, &why, &revoked, &updated, &next) != 1)
    return "it is about another certificate";
  if (OCSP_check_validity(updated, next, ocsp_clock_skew, -1) != 1)
    return "it is too old, or from the future";
  if (status == V_OCSP_CERTSTATUS_REVOKED) return "the certificate is revoked";
  return status == V_OCSP_CERTSTATUS_GOOD ? nullptr : "the CA does not know the certificate";
}

}  // namespace

bool CertificateCheck::accepts_ocsp(SSL& ssl, std::string& refusal) const {
  if (SSL_get0_peer_certificate(&ssl) == nullptr) return true;  // a pre-shared key stands for the server
  const unsigned char* data = nullptr;
  const long size = SSL_get_tlsext_status_ocsp_resp(&ssl, &data);
  if (data == nullptr || size <= 0) {
    if (ocsp_ == OcspCheck::require) refusal = "the server has stapled no OCSP response";
    return ocsp_ != OcspCheck::require;
  }
  const char* const fault = ocsp_fault(ssl, {data, static_cast<std::size_t>(size)});
  const OpenSslError error = take_error(EACCES);
  if (error.err == ENOMEM) throw std::bad_alloc();
  if (fault == nullptr) return true;
  refusal = std::string("the server's OCSP response is refused: ") + fault;
  if (!error.reason.empty()) refusal += ": " + error.reason;
  return false;
}

}  // namespace tsock::inline v0::tls
