#include "bench/tls_context.hpp"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstddef>
#include <cstdlib>

#include "bench/heap_counters.hpp"
#include "support/certificates/certificate.hpp"

// glibc's own names: heap_counter.so does not count these.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void __libc_free(void* memory);
}

namespace bench {

namespace {

// OpenSSL takes no other functions once it has used some, and libraries use it before main().
__attribute__((constructor(101))) void hide_openssl_from_heap_counter() {
  if (std::getenv(heap_without_openssl_variable) == nullptr) return;
  CRYPTO_set_mem_functions(
      [](std::size_t size, const char*, int) { return __libc_malloc(size); },
      [](void* memory, std::size_t size, const char*, int) { return __libc_realloc(memory, size); },
      [](void* memory, const char*, int) { __libc_free(memory); });
}

void check(bool done) {
  if (done) return;
  ERR_print_errors_fp(stderr);
  std::exit(1);
}

}  // namespace

TlsIdentity make_tls_identity() {
  const auto certificate = tsock::test::Certificate::self_signed(tsock::test::server_profile("localhost"));
  return {certificate.pem(), certificate.key_pem()};
}

void configure_tls_server(SSL_CTX* context) {
  const TlsIdentity identity = make_tls_identity();
  BIO* const certificate_text = BIO_new_mem_buf(identity.certificate_pem.data(), -1);
  X509* const certificate = PEM_read_bio_X509(certificate_text, nullptr, nullptr, nullptr);
  check(SSL_CTX_use_certificate(context, certificate) == 1);
  BIO* const key_text = BIO_new_mem_buf(identity.key_pem.data(), -1);
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(key_text, nullptr, nullptr, nullptr);
  check(SSL_CTX_use_PrivateKey(context, key) == 1);
  X509_free(certificate);
  EVP_PKEY_free(key);
  BIO_free(certificate_text);
  BIO_free(key_text);
  check(SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1);
  check(SSL_CTX_set_ciphersuites(context, tls_cipher) == 1);
  check(SSL_CTX_set_num_tickets(context, 1) == 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets need none
}

SSL_CTX* make_tls_server_context() {
  SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
  check(context != nullptr);
  configure_tls_server(context);
  return context;
}

}  // namespace bench
