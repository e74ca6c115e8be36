#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace tsock::test {

/// What a server shows and what the client knows. All of it is PEM.
struct CertificateCase {
  std::string chain = {};    ///< what the server sends, its own certificate first
  std::string key = {};      ///< of the server
  std::string trusted = {};  ///< authorities that the client trusts
  std::string crls = {};     ///< lists that the client has
  /// The client wants a list for each certificate of the chain.
  bool needs_crls = false;
  std::string expected_name = "www.example.com";  ///< a DNS name or an IP address, as its user writes it
};

/// A server's certificate that a client has to refuse. The sums were done by X509_verify_cert() (see
/// test/unit/refused_certificates_test.cpp) of OpenSSL 3.0 for a client that knows the purpose (a server),
/// takes no name out of the subject and knows no wildcards but a whole first label.
struct RefusedCertificate {
  std::string_view name;  ///< what is wrong with it
  int error;              ///< X509_V_ERR_...: the first one, which ends the handshake
  int depth;              ///< of the certificate that has it; 0 is the server's own
  /// The lowest security level at which it is refused; 0: at any. A server needs level 0 to load such a
  /// certificate or key.
  int security_level;
  CertificateCase (*make)();  ///< makes keys and certificates anew
  /// A server with OpenSSL shows it over TLS 1.3 only; up to 1.2 it has no cipher for such a key.
  bool needs_tls1_3 = false;
};

/// One that a client has to accept, at security level 2 and with X509_V_FLAG_X509_STRICT as well.
struct AcceptedCertificate {
  std::string_view name;
  CertificateCase (*make)();
};

std::ostream& operator<<(std::ostream& out, const RefusedCertificate& refused);
std::ostream& operator<<(std::ostream& out, const AcceptedCertificate& accepted);

[[nodiscard]] std::vector<RefusedCertificate> refused_certificates();
/// Refused only with X509_V_FLAG_X509_STRICT, which asks for the letter of RFC 5280.
[[nodiscard]] std::vector<RefusedCertificate> strictly_refused_certificates();
[[nodiscard]] std::vector<AcceptedCertificate> accepted_certificates();

/// The same the other way round: what a client shows, and a server that asks for it has to refuse or to
/// accept. No name is expected of a client.
[[nodiscard]] std::vector<RefusedCertificate> refused_client_certificates();
[[nodiscard]] std::vector<AcceptedCertificate> accepted_client_certificates();

}  // namespace tsock::test
