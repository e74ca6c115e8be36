#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace tsock::inline v0::tls {

/// Destroys objects of OpenSSL.
struct OpenSslDelete {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
  void operator()(SSL_SESSION* session) const noexcept { SSL_SESSION_free(session); }
  void operator()(BIO* bio) const noexcept { BIO_free_all(bio); }
  void operator()(BIO_METHOD* method) const noexcept { BIO_meth_free(method); }
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
  void operator()(STACK_OF(X509) * certificates) const noexcept { sk_X509_pop_free(certificates, X509_free); }
  void operator()(X509_STORE* store) const noexcept { X509_STORE_free(store); }
  void operator()(X509_CRL* crl) const noexcept { X509_CRL_free(crl); }
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
  void operator()(EVP_CIPHER* cipher) const noexcept { EVP_CIPHER_free(cipher); }
  void operator()(PKCS12* container) const noexcept { PKCS12_free(container); }
  void operator()(OCSP_RESPONSE* response) const noexcept { OCSP_RESPONSE_free(response); }
  void operator()(OCSP_BASICRESP* response) const noexcept { OCSP_BASICRESP_free(response); }
  void operator()(OCSP_CERTID* id) const noexcept { OCSP_CERTID_free(id); }
};
template <class T>
using OpenSslPointer = std::unique_ptr<T, OpenSslDelete>;

/// An error of OpenSSL.
struct OpenSslError {
  int err = 0;         ///< ENOMEM, EACCES for a missing certificate, or what the caller says
  std::string reason;  ///< in words
};
/// The first error in the queue of this thread, which is empty afterwards.
[[nodiscard]] OpenSslError take_error(int err) noexcept;
/// To be called before OpenSSL is: it would take what others have left in the queue for the reason why it
/// fails, or gives nothing. OpenSSL 3.0 goes through all 16 places of the queue to clear it.
void clear_errors() noexcept;

}  // namespace tsock::inline v0::tls
