// The matrix of certificates in test/support, checked with OpenSSL alone: what the tests of TLS take for
// granted.
#if defined(TSOCK_TEST_CERTIFICATES)

#include "support/certificates/refused_certificates.hpp"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <ostream>
#include <string>

#include "support/certificates/openssl_objects.hpp"

using namespace tsock::test;

namespace {

namespace data = boost::unit_test::data;
using openssl::check;

using Store = openssl::Owner<X509_STORE, &X509_STORE_free>;
using SslContext = openssl::Owner<SSL_CTX, &SSL_CTX_free>;
using Ssl = openssl::Owner<SSL, &SSL_free>;
using StoreContext = openssl::Owner<X509_STORE_CTX, &X509_STORE_CTX_free>;

struct Verdict {
  int error;
  int depth;
};

std::ostream& operator<<(std::ostream& out, const Verdict& verdict) {
  return out << verdict.error << " (" << X509_verify_cert_error_string(verdict.error) << ") at "
             << verdict.depth;
}

openssl::Bio pem_bio(const std::string& pem) {
  return openssl::Bio(check(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), "BIO_new_mem_buf"));
}

openssl::CertificateStack certificates_of(const std::string& pem) {
  const openssl::Bio bio = pem_bio(pem);
  openssl::CertificateStack certificates(check(sk_X509_new_null(), "sk_X509_new_null"));
  while (X509* const certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    check(sk_X509_push(certificates.get(), certificate), "sk_X509_push");
  }
  ERR_clear_error();  // that nothing follows
  return certificates;
}

// A dot at the end says that a name is a full one; certificates have none.
std::string without_final_dot(std::string name) {
  if (name.ends_with('.')) name.pop_back();
  return name;
}

Store store_of(const CertificateCase& shown) {
  Store store(check(X509_STORE_new(), "X509_STORE_new"));
  const openssl::CertificateStack trusted = certificates_of(shown.trusted);
  for (int i = 0; i < sk_X509_num(trusted.get()); ++i) {
    check(X509_STORE_add_cert(store.get(), sk_X509_value(trusted.get(), i)), "X509_STORE_add_cert");
  }
  const openssl::Bio crls = pem_bio(shown.crls);
  while (X509_CRL* const crl = PEM_read_bio_X509_CRL(crls.get(), nullptr, nullptr, nullptr)) {
    const openssl::CrlObject owner(crl);
    check(X509_STORE_add_crl(store.get(), crl), "X509_STORE_add_crl");
  }
  ERR_clear_error();
  return store;
}

/// The name alone, and whole wildcards.
void ask_for(const CertificateCase& shown, unsigned long flags, X509_VERIFY_PARAM* param) {
  if (shown.needs_crls) flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
  check(X509_VERIFY_PARAM_set_flags(param, flags), "X509_VERIFY_PARAM_set_flags");
  X509_VERIFY_PARAM_set_hostflags(param,
                                  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  const std::string name = without_final_dot(shown.expected_name);
  if (name.empty()) return;
  const openssl::OctetObject address(a2i_IPADDRESS(name.c_str()));
  ERR_clear_error();
  if (address) {
    check(X509_VERIFY_PARAM_set1_ip_asc(param, name.c_str()), "X509_VERIFY_PARAM_set1_ip_asc");
  } else {
    check(X509_VERIFY_PARAM_set1_host(param, name.data(), name.size()), "X509_VERIFY_PARAM_set1_host");
  }
}

/// What a client makes of it that takes a name for what it is, not for the common name of the subject, nor
/// for half a wildcard. Without X509_V_FLAG_X509_STRICT, as browsers and GnuTLS do: it refuses private
/// authorities by the thousand that lack a key identifier or a key usage, and whom it refuses beyond that
/// nobody could abuse.
Verdict verify(const CertificateCase& shown, int security_level, unsigned long flags = 0,
               const char* purpose = "ssl_server") {
  const Store store = store_of(shown);
  const openssl::CertificateStack chain = certificates_of(shown.chain);
  const StoreContext context(check(X509_STORE_CTX_new(), "X509_STORE_CTX_new"));
  check(X509_STORE_CTX_init(context.get(), store.get(), sk_X509_value(chain.get(), 0), chain.get()),
        "X509_STORE_CTX_init");
  check(X509_STORE_CTX_set_default(context.get(), purpose), "X509_STORE_CTX_set_default");
  X509_VERIFY_PARAM* const param = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_auth_level(param, security_level);
  ask_for(shown, flags, param);
  const bool is_accepted = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  const int error = X509_STORE_CTX_get_error(context.get());
  BOOST_TEST(is_accepted == (error == X509_V_OK));
  return {error, X509_STORE_CTX_get_error_depth(context.get())};
}

// ---- the same in a handshake
// -------------------------------------------------------------------------------

/// A server that loads whatever it is given.
SslContext server_context(const CertificateCase& shown) {
  SslContext context(check(SSL_CTX_new(TLS_server_method()), "SSL_CTX_new"));
  SSL_CTX_set_security_level(context.get(), 0);
  const openssl::CertificateStack chain = certificates_of(shown.chain);
  check(SSL_CTX_use_certificate(context.get(), sk_X509_value(chain.get(), 0)), "SSL_CTX_use_certificate");
  for (int i = 1; i < sk_X509_num(chain.get()); ++i) {
    check(SSL_CTX_add1_chain_cert(context.get(), sk_X509_value(chain.get(), i)), "SSL_CTX_add1_chain_cert");
  }
  const openssl::Bio bio = pem_bio(shown.key);
  const openssl::Owner<EVP_PKEY, &EVP_PKEY_free> key(
      check(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), "PEM_read_bio_PrivateKey"));
  check(SSL_CTX_use_PrivateKey(context.get(), key.get()), "SSL_CTX_use_PrivateKey");
  return context;
}

SslContext client_context(const CertificateCase& shown, int security_level) {
  SslContext context(check(SSL_CTX_new(TLS_client_method()), "SSL_CTX_new"));
  SSL_CTX_set_security_level(context.get(), security_level);
  SSL_CTX_set_cert_store(context.get(), store_of(shown).release());
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  ask_for(shown, 0, SSL_CTX_get0_param(context.get()));
  return context;
}

/// \return what the client says of the certificate; both sides are over then, or one has failed.
long verified_in_handshake(const CertificateCase& shown, int security_level, int version) {
  const SslContext server = server_context(shown);
  const SslContext client = client_context(shown, security_level);
  const Ssl accepting(check(SSL_new(server.get()), "SSL_new"));
  const Ssl connecting(check(SSL_new(client.get()), "SSL_new"));
  check(SSL_set_min_proto_version(connecting.get(), version), "SSL_set_min_proto_version");
  check(SSL_set_max_proto_version(connecting.get(), version), "SSL_set_max_proto_version");
  BIO* near = nullptr;
  BIO* far = nullptr;
  check(BIO_new_bio_pair(&near, 0, &far, 0), "BIO_new_bio_pair");
  SSL_set_bio(connecting.get(), near, near);
  SSL_set_bio(accepting.get(), far, far);
  const auto step = [](const Ssl& ssl, int (*handshake)(SSL*)) {
    const int result = handshake(ssl.get());
    const int error = SSL_get_error(ssl.get(), result);
    return result == 1 || error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  };
  bool is_going = true;
  while (is_going && SSL_is_init_finished(connecting.get()) == 0) {
    is_going = step(connecting, &SSL_connect) && step(accepting, &SSL_accept);
  }
  ERR_clear_error();
  const long result = SSL_get_verify_result(connecting.get());
  BOOST_TEST((SSL_is_init_finished(connecting.get()) == 1) == (result == X509_V_OK));
  return result;
}

void check_refused(const RefusedCertificate& refused, const CertificateCase& shown, unsigned long flags) {
  for (int level = refused.security_level; level <= 2; ++level) {
    const Verdict verdict = verify(shown, level, flags);
    BOOST_TEST(verdict.error == refused.error, refused.name << " at level " << level << ": " << verdict);
    BOOST_TEST(verdict.depth == refused.depth, refused.name << " at level " << level << ": " << verdict);
  }
  if (refused.security_level == 0) return;
  const Verdict verdict = verify(shown, refused.security_level - 1, flags);
  BOOST_TEST(verdict.error == X509_V_OK, refused.name << " below its level: " << verdict);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(refused_certificates)

BOOST_DATA_TEST_CASE(refused_certificate_has_its_reason, data::make(tsock::test::refused_certificates()),
                     refused) {
  check_refused(refused, refused.make(), 0);
}

BOOST_DATA_TEST_CASE(refused_certificate_is_refused_strictly_too,
                     data::make(tsock::test::refused_certificates()), refused) {
  const Verdict verdict = verify(refused.make(), 2, X509_V_FLAG_X509_STRICT);
  BOOST_TEST(verdict.error != X509_V_OK, refused.name);
}

BOOST_DATA_TEST_CASE(strictly_refused_certificate_is_refused_by_the_strict_alone,
                     data::make(strictly_refused_certificates()), refused) {
  const CertificateCase shown = refused.make();
  check_refused(refused, shown, X509_V_FLAG_X509_STRICT);
  const Verdict verdict = verify(shown, 2);
  BOOST_TEST(verdict.error == X509_V_OK, refused.name << ": " << verdict);
}

BOOST_DATA_TEST_CASE(accepted_certificate_is_accepted_strictly_too, data::make(accepted_certificates()),
                     accepted) {
  const CertificateCase shown = accepted.make();
  for (const unsigned long flags : {0UL, static_cast<unsigned long>(X509_V_FLAG_X509_STRICT)}) {
    for (int level = 0; level <= 2; ++level) {
      const Verdict verdict = verify(shown, level, flags);
      BOOST_TEST(verdict.error == X509_V_OK, accepted.name << " at level " << level << ": " << verdict);
    }
  }
}

BOOST_DATA_TEST_CASE(refused_certificate_ends_a_handshake_for_its_reason,
                     data::make(tsock::test::refused_certificates()), refused) {
  const CertificateCase shown = refused.make();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    if (refused.needs_tls1_3 && version != TLS1_3_VERSION) continue;
    const long result = verified_in_handshake(shown, refused.security_level, version);
    BOOST_TEST(result == refused.error, refused.name << ": " << X509_verify_cert_error_string(result));
  }
}

BOOST_DATA_TEST_CASE(accepted_certificate_lets_a_handshake_end, data::make(accepted_certificates()),
                     accepted) {
  const CertificateCase shown = accepted.make();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const long result = verified_in_handshake(shown, 2, version);
    BOOST_TEST(result == X509_V_OK, accepted.name << ": " << X509_verify_cert_error_string(result));
  }
}

BOOST_DATA_TEST_CASE(refused_client_certificate_has_its_reason, data::make(refused_client_certificates()),
                     refused) {
  const CertificateCase shown = refused.make();
  for (int level = 0; level <= 2; ++level) {
    const Verdict verdict = verify(shown, level, 0, "ssl_client");
    BOOST_TEST(verdict.error == refused.error, refused.name << ": " << verdict);
    BOOST_TEST(verdict.depth == refused.depth, refused.name << ": " << verdict);
  }
}

BOOST_DATA_TEST_CASE(accepted_client_certificate_is_accepted_strictly_too,
                     data::make(accepted_client_certificates()), accepted) {
  const Verdict verdict = verify(accepted.make(), 2, X509_V_FLAG_X509_STRICT, "ssl_client");
  BOOST_TEST(verdict.error == X509_V_OK, accepted.name << ": " << verdict);
}

BOOST_AUTO_TEST_SUITE_END()

#endif
