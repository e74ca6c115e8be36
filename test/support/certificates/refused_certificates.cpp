#include "support/certificates/refused_certificates.hpp"

#include <openssl/x509_vfy.h>

#include <array>
#include <ostream>

#include "support/certificates/certificate.hpp"

using namespace std::chrono_literals;

namespace tsock::test {
namespace {

constexpr std::chrono::hours day{24};
constexpr const char* host = "www.example.com";

/// A root, an intermediate, a server: what most cases start from. Each may be made otherwise before the next
/// one is.
struct Hierarchy {
  CertificateProfile root_profile = authority_profile("Root");
  CertificateProfile intermediate_profile = authority_profile("Intermediate");
  CertificateProfile server_profile = test::server_profile(host);

  // Evaluated by now: which certificates there are.
  struct Made {
    Certificate root;
    Certificate intermediate;
    Certificate server;

    [[nodiscard]] CertificateCase shown() const {
      return {.chain = server.pem() + intermediate.pem(), .key = server.key_pem(), .trusted = root.pem()};
    }
    // With the lists that both authorities publish.
    [[nodiscard]] CertificateCase shown_with(const std::string& crls) const {
      CertificateCase shown = this->shown();
      shown.crls = crls;
      shown.needs_crls = true;
      return shown;
    }
  };

  [[nodiscard]] Made make() const {
    Certificate root = Certificate::self_signed(root_profile);
    Certificate intermediate = root.issue(intermediate_profile);
    Certificate server = intermediate.issue(server_profile);
    return {std::move(root), std::move(intermediate), std::move(server)};
  }
};

/// The server's certificate is otherwise.
CertificateCase server_that(void (*change)(CertificateProfile&)) {
  Hierarchy hierarchy;
  change(hierarchy.server_profile);
  return hierarchy.make().shown();
}

CertificateCase client_that(void (*change)(CertificateProfile&)) {
  Hierarchy hierarchy;
  hierarchy.server_profile = client_profile("client");
  change(hierarchy.server_profile);
  CertificateCase shown = hierarchy.make().shown();
  shown.expected_name = {};
  return shown;
}

CertificateCase intermediate_that(void (*change)(CertificateProfile&)) {
  Hierarchy hierarchy;
  change(hierarchy.intermediate_profile);
  return hierarchy.make().shown();
}

CertificateCase root_that(void (*change)(CertificateProfile&)) {
  Hierarchy hierarchy;
  change(hierarchy.root_profile);
  return hierarchy.make().shown();
}

/// The server has this DNS name alone, and another name is expected of it.
CertificateCase named(const std::string& dns_name, const std::string& expected) {
  Hierarchy hierarchy;
  hierarchy.server_profile.common_name = "server";
  hierarchy.server_profile.dns_names = {dns_name};
  CertificateCase shown = hierarchy.make().shown();
  shown.expected_name = expected;
  return shown;
}

CertificateCase at_address(const std::string& address, const std::string& expected) {
  Hierarchy hierarchy;
  hierarchy.server_profile.common_name = "server";
  hierarchy.server_profile.dns_names = {};
  hierarchy.server_profile.ip_addresses = {address};
  CertificateCase shown = hierarchy.make().shown();
  shown.expected_name = expected;
  return shown;
}

/// An authority that may speak for some names only.
CertificateCase constrained(const std::string& constraints) {
  Hierarchy hierarchy;
  hierarchy.intermediate_profile.name_constraints = constraints;
  return hierarchy.make().shown();
}

CertificateCase listed(const CrlProfile& of_root, const CrlProfile& of_intermediate) {
  const auto made = Hierarchy().make();
  return made.shown_with(made.intermediate.crl(of_intermediate) + made.root.crl(of_root));
}

const RawExtension unknown_extension{
    .oid = "1.3.6.1.4.1.32473.1", .is_critical = true, .der = std::string("\x05\x00", 2)};

// One signed with that hash. MD5 goes with RSA only.
CertificateCase signed_with(const std::string& hash) {
  CertificateProfile profile = server_profile(host);
  profile.signature_hash = hash;
  const Certificate root = Certificate::self_signed(authority_profile("Root"), PrivateKey::shared_rsa(2048));
  const Certificate server = root.issue(profile);
  return {.chain = server.pem(), .key = server.key_pem(), .trusted = root.pem()};
}

CertificateCase server_with_key(const PrivateKey& key) {
  const Certificate root = Certificate::self_signed(authority_profile("Root"));
  const Certificate server = root.issue(server_profile(host), key);
  return {.chain = server.pem(), .key = server.key_pem(), .trusted = root.pem()};
}

CertificateCase root_with_key(const PrivateKey& key) {
  const Certificate root = Certificate::self_signed(authority_profile("Root"), key);
  const Certificate server = root.issue(server_profile(host));
  return {.chain = server.pem(), .key = server.key_pem(), .trusted = root.pem()};
}

// ---- what is refused
// ---------------------------------------------------------------------------------------

constexpr auto refused_cases = std::to_array<RefusedCertificate>({
    // time
    {"expired", X509_V_ERR_CERT_HAS_EXPIRED, 0, 0,
     [] {
       return server_that([](CertificateProfile& server) {
         server.not_before = -2 * day;
         server.not_after = -1min;
       });
     }},
    {"not yet valid", X509_V_ERR_CERT_NOT_YET_VALID, 0, 0,
     [] { return server_that([](CertificateProfile& server) { server.not_before = 1h; }); }},
    {"intermediate expired", X509_V_ERR_CERT_HAS_EXPIRED, 1, 0,
     [] {
       return intermediate_that([](CertificateProfile& intermediate) {
         intermediate.not_before = -2 * day;
         intermediate.not_after = -1min;
       });
     }},
    {"intermediate not yet valid", X509_V_ERR_CERT_NOT_YET_VALID, 1, 0,
     [] { return intermediate_that([](CertificateProfile& intermediate) { intermediate.not_before = 1h; }); }},
    {"root expired", X509_V_ERR_CERT_HAS_EXPIRED, 2, 0,
     [] {
       return root_that([](CertificateProfile& root) {
         root.not_before = -2 * day;
         root.not_after = -1min;
       });
     }},

    // name
    {"another name", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0, [] { return named("www.example.org", host); }},
    {"name of the parent domain", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] { return named("example.com", host); }},
    {"name of a subdomain", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0, [] { return named("a.www.example.com", host); }},
    {"name that begins with the expected one", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] { return named("www.example.com.evil.example", host); }},
    {"name that begins with a dot", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] { return named(".example.com", host); }},
    {"name cut by a NUL", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] { return named(std::string("www.example.com\0.evil.example", 29), host); }},
    {"common name cut by a NUL, no alternative name", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] {
       return server_that([](CertificateProfile& server) {
         server.common_name = std::string("www.example.com\0.evil.example", 29);
         server.dns_names = {};
       });
     }},
    {"common name alone", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] { return server_that([](CertificateProfile& server) { server.dns_names = {}; }); }},
    {"common name beside another alternative name", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] { return server_that([](CertificateProfile& server) { server.dns_names = {"www.example.org"}; }); }},
    {"no name at all", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] {
       return server_that([](CertificateProfile& server) {
         server.common_name = {};
         server.dns_names = {};
       });
     }},
    {"name as an address of mail and of a page only", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] {
       return server_that([](CertificateProfile& server) {
         server.dns_names = {};
         server.email_addresses = {"root@www.example.com"};
         server.uris = {"https://www.example.com/"};
       });
     }},

    // wildcards
    {"wildcard over two labels", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] { return named("*.example.com", "a.b.example.com"); }},
    {"wildcard over no label", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] { return named("*.example.com", "example.com"); }},
    {"wildcard over a top-level domain", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] { return named("*.com", "example.com"); }},
    {"wildcard over a top-level domain, two labels", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] { return named("*.com", host); }},
    {"wildcard over everything", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0, [] { return named("*", host); }},
    {"wildcard at the end of a label", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] { return named("w*.example.com", host); }},
    {"wildcard at the beginning of a label", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] { return named("*w.example.com", host); }},
    {"wildcard within a label", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] { return named("w*w.example.com", host); }},
    {"wildcard in the middle", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] { return named("www.*.com", host); }},
    {"two wildcards", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] { return named("*.*.example.com", "a.b.example.com"); }},
    {"wildcard within an A-label", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] { return named("xn--*.example.com", "xn--bcher-kva.example.com"); }},
    {"wildcard over an IP address", X509_V_ERR_IP_ADDRESS_MISMATCH, 0, 0,
     [] { return named("*.0.0.1", "127.0.0.1"); }},

    // addresses
    {"another IPv4 address", X509_V_ERR_IP_ADDRESS_MISMATCH, 0, 0,
     [] { return at_address("127.0.0.2", "127.0.0.1"); }},
    {"another IPv6 address", X509_V_ERR_IP_ADDRESS_MISMATCH, 0, 0, [] { return at_address("::2", "::1"); }},
    {"IPv4 address mapped into IPv6", X509_V_ERR_IP_ADDRESS_MISMATCH, 0, 0,
     [] { return at_address("::ffff:127.0.0.1", "127.0.0.1"); }},
    {"address as a DNS name", X509_V_ERR_IP_ADDRESS_MISMATCH, 0, 0,
     [] { return named("127.0.0.1", "127.0.0.1"); }},
    {"address as a common name", X509_V_ERR_IP_ADDRESS_MISMATCH, 0, 0,
     [] {
       CertificateCase shown = server_that([](CertificateProfile& server) {
         server.common_name = "127.0.0.1";
         server.dns_names = {};
       });
       shown.expected_name = "127.0.0.1";
       return shown;
     }},
    {"address where a name is expected", X509_V_ERR_HOSTNAME_MISMATCH, 0, 0,
     [] { return at_address("127.0.0.1", host); }},

    // trust
    {"self-signed", X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, 0, 0,
     [] {
       const auto server = Certificate::self_signed(server_profile(host));
       const auto root = Certificate::self_signed(authority_profile("Root"));
       return CertificateCase{.chain = server.pem(), .key = server.key_pem(), .trusted = root.pem()};
     }},
    {"unknown authority", X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 1, 0,
     [] {
       CertificateCase shown = Hierarchy().make().shown();
       shown.trusted = Certificate::self_signed(authority_profile("Another root")).pem();
       return shown;
     }},
    {"unknown authority that the server sends", X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, 2, 0,
     [] {
       const auto made = Hierarchy().make();
       CertificateCase shown = made.shown();
       shown.chain += made.root.pem();
       shown.trusted = Certificate::self_signed(authority_profile("Another root")).pem();
       return shown;
     }},
    {"authority of the trusted one's name", X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 1, 0,
     [] {
       CertificateCase shown = Hierarchy().make().shown();
       shown.trusted = Hierarchy().make().root.pem();
       return shown;
     }},
    {"authority of the trusted one's name, no key identifiers", X509_V_ERR_CERT_SIGNATURE_FAILURE, 1, 0,
     [] {
       Hierarchy hierarchy;
       hierarchy.root_profile.has_key_identifiers = false;
       CertificateCase shown = hierarchy.make().shown();
       shown.trusted = hierarchy.make().root.pem();
       return shown;
     }},
    {"intermediate missing", X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 0, 0,
     [] {
       const auto made = Hierarchy().make();
       CertificateCase shown = made.shown();
       shown.chain = made.server.pem();
       return shown;
     }},
    {"intermediate trusted, its root not", X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, 1, 0,
     [] {
       const auto made = Hierarchy().make();
       CertificateCase shown = made.shown();
       shown.trusted = made.intermediate.pem();
       return shown;
     }},

    // authority
    {"intermediate that is no authority", X509_V_ERR_INVALID_CA, 1, 0,
     [] {
       Hierarchy hierarchy;
       hierarchy.intermediate_profile = server_profile("www.evil.example");
       return hierarchy.make().shown();
     }},
    {"intermediate without basic constraints", X509_V_ERR_INVALID_CA, 1, 0,
     [] {
       return intermediate_that([](CertificateProfile& intermediate) {
         intermediate.has_basic_constraints = false;
         intermediate.key_usage = "critical,digitalSignature";
       });
     }},
    {"intermediate that may sign no certificates", X509_V_ERR_INVALID_CA, 1, 0,
     [] {
       return intermediate_that(
           [](CertificateProfile& intermediate) { intermediate.key_usage = "critical,cRLSign"; });
     }},
    {"intermediate of version 1", X509_V_ERR_INVALID_CA, 1, 0,
     [] { return intermediate_that([](CertificateProfile& intermediate) { intermediate.version = 1; }); }},
    {"path too long for the root", X509_V_ERR_PATH_LENGTH_EXCEEDED, 2, 0,
     [] { return root_that([](CertificateProfile& root) { root.path_length = 0; }); }},
    {"path too long for an intermediate", X509_V_ERR_PATH_LENGTH_EXCEEDED, 2, 0,
     [] {
       Hierarchy hierarchy;
       hierarchy.intermediate_profile.path_length = 0;
       const auto made = hierarchy.make();
       const Certificate another = made.intermediate.issue(authority_profile("Second intermediate"));
       const Certificate server = another.issue(server_profile(host));
       return CertificateCase{.chain = server.pem() + another.pem() + made.intermediate.pem(),
                              .key = server.key_pem(),
                              .trusted = made.root.pem()};
     }},

    // purpose
    {"certificate of a client", X509_V_ERR_INVALID_PURPOSE, 0, 0,
     [] { return server_that([](CertificateProfile& server) { server.extended_key_usage = "clientAuth"; }); }},
    {"certificate for signing code", X509_V_ERR_INVALID_PURPOSE, 0, 0,
     [] { return server_that([](CertificateProfile& server) { server.extended_key_usage = "codeSigning"; }); }},
    {"key that may not sign for TLS", X509_V_ERR_INVALID_PURPOSE, 0, 0,
     [] {
       return server_that([](CertificateProfile& server) { server.key_usage = "critical,nonRepudiation"; });
     },
     true},
    {"intermediate for clients only", X509_V_ERR_INVALID_PURPOSE, 1, 0,
     [] {
       return intermediate_that(
           [](CertificateProfile& intermediate) { intermediate.extended_key_usage = "clientAuth"; });
     }},

    // constraints of names
    {"name outside of what its authority is permitted", X509_V_ERR_PERMITTED_VIOLATION, 0, 0,
     [] { return constrained("critical,permitted;DNS:example.org"); }},
    {"name that its authority is excluded from", X509_V_ERR_EXCLUDED_VIOLATION, 0, 0,
     [] { return constrained("critical,permitted;DNS:com,excluded;DNS:example.com"); }},
    {"second name outside of what its authority is permitted", X509_V_ERR_PERMITTED_VIOLATION, 0, 0,
     [] {
       Hierarchy hierarchy;
       hierarchy.intermediate_profile.name_constraints = "critical,permitted;DNS:example.com";
       hierarchy.server_profile.dns_names.emplace_back("www.example.org");
       return hierarchy.make().shown();
     }},
    {"address outside of what its authority is permitted", X509_V_ERR_PERMITTED_VIOLATION, 0, 0,
     [] {
       Hierarchy hierarchy;
       hierarchy.intermediate_profile.name_constraints = "critical,permitted;IP:10.0.0.0/255.0.0.0";
       hierarchy.server_profile.ip_addresses = {"127.0.0.1"};
       CertificateCase shown = hierarchy.make().shown();
       shown.expected_name = "127.0.0.1";
       return shown;
     }},

    // revocation
    {"revoked", X509_V_ERR_CERT_REVOKED, 0, 0,
     [] {
       const auto made = Hierarchy().make();
       return made.shown_with(made.intermediate.crl({.serials = {made.server.serial()}}) + made.root.crl());
     }},
    {"intermediate revoked", X509_V_ERR_CERT_REVOKED, 1, 0,
     [] {
       const auto made = Hierarchy().make();
       return made.shown_with(made.intermediate.crl() + made.root.crl({.serials = {made.intermediate.serial()}}));
     }},
    {"list of revoked ones expired", X509_V_ERR_CRL_HAS_EXPIRED, 0, 0,
     [] { return listed({}, {.this_update = -2 * day, .next_update = -1min}); }},
    {"list of revoked ones not yet valid", X509_V_ERR_CRL_NOT_YET_VALID, 0, 0,
     [] { return listed({}, {.this_update = 1h}); }},
    {"list of revoked ones missing", X509_V_ERR_UNABLE_TO_GET_CRL, 0, 0,
     [] {
       const auto made = Hierarchy().make();
       return made.shown_with(made.root.crl());
     }},
    {"list of revoked intermediates missing", X509_V_ERR_UNABLE_TO_GET_CRL, 1, 0,
     [] {
       const auto made = Hierarchy().make();
       return made.shown_with(made.intermediate.crl());
     }},
    {"list of revoked ones with a broken signature", X509_V_ERR_CRL_SIGNATURE_FAILURE, 0, 0,
     [] { return listed({}, {.is_signature_broken = true}); }},
    {"list of revoked ones with an unknown critical extension", X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION, 0, 0,
     [] { return listed({}, {.raw_extensions = {unknown_extension}}); }},
    {"list of revoked ones from one that may sign none", X509_V_ERR_KEYUSAGE_NO_CRL_SIGN, 0, 0,
     [] {
       Hierarchy hierarchy;
       hierarchy.intermediate_profile.key_usage = "critical,keyCertSign";
       const auto made = hierarchy.make();
       return made.shown_with(made.intermediate.crl() + made.root.crl());
     }},

    // signatures and extensions
    {"broken signature", X509_V_ERR_CERT_SIGNATURE_FAILURE, 0, 0,
     [] { return server_that([](CertificateProfile& server) { server.is_signature_broken = true; }); }},
    {"intermediate with a broken signature", X509_V_ERR_CERT_SIGNATURE_FAILURE, 1, 0,
     [] {
       return intermediate_that([](CertificateProfile& intermediate) { intermediate.is_signature_broken = true; });
     }},
    {"unknown critical extension", X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, 0, 0,
     [] { return server_that([](CertificateProfile& server) { server.raw_extensions = {unknown_extension}; }); }},
    {"intermediate with an unknown critical extension", X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, 1, 0,
     [] {
       return intermediate_that(
           [](CertificateProfile& intermediate) { intermediate.raw_extensions = {unknown_extension}; });
     }},
    // OpenSSL takes nothing out of such a certificate, so that no issuer fits it.
    {"extension given twice", X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 0, 0,
     [] {
       return server_that([](CertificateProfile& server) {
         // Key usage: a bit string with the first bit set.
         server.raw_extensions = {
             {.oid = "2.5.29.15", .is_critical = true, .der = std::string("\x03\x02\x07\x80", 4)}};
       });
     },
     true},

    // strength
    {"signed with MD5", X509_V_ERR_CA_MD_TOO_WEAK, 0, 1, [] { return signed_with("MD5"); }},
    {"signed with SHA-1", X509_V_ERR_CA_MD_TOO_WEAK, 0, 1, [] { return signed_with("SHA1"); }},
    {"RSA key of 1024 bits", X509_V_ERR_EE_KEY_TOO_SMALL, 0, 2,
     [] { return server_with_key(PrivateKey::shared_rsa(1024)); }},
    {"root with an RSA key of 512 bits", X509_V_ERR_CA_KEY_TOO_SMALL, 1, 1,
     [] { return root_with_key(PrivateKey::shared_rsa(512)); }},
    {"root with an RSA key of 1024 bits", X509_V_ERR_CA_KEY_TOO_SMALL, 1, 2,
     [] { return root_with_key(PrivateKey::shared_rsa(1024)); }},
});

// ---- what is refused by the letter of RFC 5280 only
// ----------------------------------------------------------

constexpr auto strictly_refused_cases = std::to_array<RefusedCertificate>({
    {"authority without key usage", X509_V_ERR_CA_CERT_MISSING_KEY_USAGE, 1, 0,
     [] { return intermediate_that([](CertificateProfile& intermediate) { intermediate.key_usage = ""; }); }},
    {"root without key identifier", X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER, 1, 0,
     [] { return root_that([](CertificateProfile& root) { root.has_key_identifiers = false; }); }},
    {"basic constraints of an authority not critical", X509_V_ERR_CA_BCONS_NOT_CRITICAL, 1, 0,
     [] {
       return intermediate_that([](CertificateProfile& intermediate) {
         intermediate.has_basic_constraints = false;
         intermediate.raw_extensions = {{.oid = "2.5.29.19", .der = std::string("\x30\x03\x01\x01\xff", 5)}};
       });
     }},
    {"path length of a server", X509_V_ERR_PATHLEN_INVALID_FOR_NON_CA, 0, 0,
     [] { return server_that([](CertificateProfile& server) { server.path_length = 0; }); }},
    {"no key identifier of the authority", X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER, 0, 0,
     [] { return server_that([](CertificateProfile& server) { server.has_key_identifiers = false; }); }},
    {"root of version 1", X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER, 1, 0,
     [] { return root_that([](CertificateProfile& root) { root.version = 1; }); }},
});

// ---- what is accepted
// --------------------------------------------------------------------------------------

constexpr auto accepted_cases = std::to_array<AcceptedCertificate>({
    {"name", [] { return named(host, host); }},
    {"name in upper case, expected in lower case", [] { return named("WWW.Example.COM", host); }},
    {"name in lower case, expected in upper case", [] { return named(host, "WWW.EXAMPLE.COM"); }},
    {"name, expected with a dot at the end", [] { return named(host, "www.example.com."); }},
    {"last of many names",
     [] {
       return server_that([](CertificateProfile& server) {
         server.dns_names = {"example.com", "*.example.org", "mail.example.com", host};
       });
     }},
    {"another common name",
     [] { return server_that([](CertificateProfile& server) { server.common_name = "www.example.org"; }); }},
    {"no common name",
     [] { return server_that([](CertificateProfile& server) { server.common_name = {}; }); }},
    {"name of one label", [] { return named("localhost", "localhost"); }},
    {"name as an A-label", [] { return named("xn--bcher-kva.example", "xn--bcher-kva.example"); }},
    {"wildcard", [] { return named("*.example.com", host); }},
    {"wildcard over an A-label", [] { return named("*.example.com", "xn--bcher-kva.example.com"); }},
    {"IPv4 address", [] { return at_address("127.0.0.1", "127.0.0.1"); }},
    {"IPv6 address", [] { return at_address("::1", "::1"); }},
    {"IPv6 address, expected in another form", [] { return at_address("2001:db8::1", "2001:DB8:0:0::0:1"); }},
    {"no intermediate", [] { return server_with_key(PrivateKey::ec()); }},
    {"two intermediates",
     [] {
       const auto made = Hierarchy().make();
       const Certificate another = made.intermediate.issue(authority_profile("Second intermediate"));
       const Certificate server = another.issue(server_profile(host));
       return CertificateCase{.chain = server.pem() + another.pem() + made.intermediate.pem(),
                              .key = server.key_pem(),
                              .trusted = made.root.pem()};
     }},
    {"two intermediates in the wrong order",
     [] {
       const auto made = Hierarchy().make();
       const Certificate another = made.intermediate.issue(authority_profile("Second intermediate"));
       const Certificate server = another.issue(server_profile(host));
       return CertificateCase{.chain = server.pem() + made.intermediate.pem() + another.pem(),
                              .key = server.key_pem(),
                              .trusted = made.root.pem()};
     }},
    {"path as long as is allowed",
     [] {
       Hierarchy hierarchy;
       hierarchy.root_profile.path_length = 1;
       hierarchy.intermediate_profile.path_length = 0;
       return hierarchy.make().shown();
     }},
    {"root sent as well",
     [] {
       const auto made = Hierarchy().make();
       CertificateCase shown = made.shown();
       shown.chain += made.root.pem();
       return shown;
     }},
    {"certificates sent that have nothing to do with it",
     [] {
       CertificateCase shown = Hierarchy().make().shown();
       shown.chain += Hierarchy().make().intermediate.pem();
       return shown;
     }},
    {"root that an expired one vouches for as well",
     [] {
       const auto made = Hierarchy().make();
       CertificateProfile expired = authority_profile("Old root");
       expired.not_before = -2 * day;
       expired.not_after = -1min;
       const Certificate old_root = Certificate::self_signed(expired);
       CertificateProfile crossing = authority_profile("Root");
       crossing.not_before = expired.not_before;
       crossing.not_after = expired.not_after;
       CertificateCase shown = made.shown();
       shown.chain += old_root.issue(crossing, made.root.key()).pem();
       shown.trusted += old_root.pem();
       return shown;
     }},
    {"two roots of one name trusted",
     [] {
       CertificateCase shown = Hierarchy().make().shown();
       shown.trusted = Hierarchy().make().root.pem() + shown.trusted;
       return shown;
     }},
    {"for servers and clients",
     [] {
       return server_that(
           [](CertificateProfile& server) { server.extended_key_usage = "serverAuth,clientAuth"; });
     }},
    {"for any purpose",
     [] { return server_that([](CertificateProfile& server) { server.extended_key_usage = ""; }); }},
    {"intermediate for servers only",
     [] {
       return intermediate_that(
           [](CertificateProfile& intermediate) { intermediate.extended_key_usage = "serverAuth"; });
     }},
    {"name that its authority is permitted",
     [] { return constrained("critical,permitted;DNS:example.com"); }},
    {"name that its authority is not excluded from",
     [] { return constrained("critical,excluded;DNS:example.org"); }},
    {"unknown extension that is not critical",
     [] {
       return server_that([](CertificateProfile& server) {
         server.raw_extensions = {unknown_extension};
         server.raw_extensions.front().is_critical = false;
       });
     }},
    {"not revoked", [] { return listed({}, {}); }},
    {"others revoked",
     [] {
       return listed({.serials = {1, 2, 3}}, {.serials = {4, 5}});
     }},
    {"RSA key of 2048 bits", [] { return server_with_key(PrivateKey::shared_rsa(2048)); }},
    {"root with an RSA key of 2048 bits", [] { return root_with_key(PrivateKey::shared_rsa(2048)); }},
    {"Ed25519 keys",
     [] {
       const Certificate root = Certificate::self_signed(authority_profile("Root"), PrivateKey::ed25519());
       const Certificate server = root.issue(server_profile(host), PrivateKey::ed25519());
       return CertificateCase{.chain = server.pem(), .key = server.key_pem(), .trusted = root.pem()};
     }},
    {"signed with SHA-384",
     [] { return server_that([](CertificateProfile& server) { server.signature_hash = "SHA384"; }); }},
});

// ---- clients
// -----------------------------------------------------------------------------------------------

constexpr auto refused_client_cases = std::to_array<RefusedCertificate>({
    {"expired client", X509_V_ERR_CERT_HAS_EXPIRED, 0, 0,
     [] {
       return client_that([](CertificateProfile& client) {
         client.not_before = -2 * day;
         client.not_after = -1min;
       });
     }},
    {"client not yet valid", X509_V_ERR_CERT_NOT_YET_VALID, 0, 0,
     [] { return client_that([](CertificateProfile& client) { client.not_before = 1h; }); }},
    {"self-signed client", X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, 0, 0,
     [] {
       const Certificate client = Certificate::self_signed(client_profile("client"));
       const Certificate root = Certificate::self_signed(authority_profile("Root"));
       return CertificateCase{
           .chain = client.pem(), .key = client.key_pem(), .trusted = root.pem(), .expected_name = {}};
     }},
    {"client of an unknown authority", X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 1, 0,
     [] {
       CertificateCase shown = client_that([](CertificateProfile&) {});
       shown.trusted = Certificate::self_signed(authority_profile("Another root")).pem();
       return shown;
     }},
    {"client with the certificate of a server", X509_V_ERR_INVALID_PURPOSE, 0, 0,
     [] {
       return client_that([](CertificateProfile& client) { client.extended_key_usage = "serverAuth"; });
     }},
    {"client with a key that may not sign for TLS", X509_V_ERR_INVALID_PURPOSE, 0, 0,
     [] {
       return client_that([](CertificateProfile& client) { client.key_usage = "critical,nonRepudiation"; });
     }},
    {"client with a broken signature", X509_V_ERR_CERT_SIGNATURE_FAILURE, 0, 0,
     [] { return client_that([](CertificateProfile& client) { client.is_signature_broken = true; }); }},
    {"revoked client", X509_V_ERR_CERT_REVOKED, 0, 0,
     [] {
       Hierarchy hierarchy;
       hierarchy.server_profile = client_profile("client");
       const auto made = hierarchy.make();
       CertificateCase shown =
           made.shown_with(made.intermediate.crl({.serials = {made.server.serial()}}) + made.root.crl());
       shown.expected_name = {};
       return shown;
     }},
});

constexpr auto accepted_client_cases = std::to_array<AcceptedCertificate>({
    {"client", [] { return client_that([](CertificateProfile&) {}); }},
    {"client and server",
     [] {
       return client_that(
           [](CertificateProfile& client) { client.extended_key_usage = "serverAuth,clientAuth"; });
     }},
    {"client with a certificate for any purpose",
     [] { return client_that([](CertificateProfile& client) { client.extended_key_usage = ""; }); }},
});

}  // namespace

std::ostream& operator<<(std::ostream& out, const RefusedCertificate& refused) { return out << refused.name; }
std::ostream& operator<<(std::ostream& out, const AcceptedCertificate& accepted) {
  return out << accepted.name;
}

std::vector<RefusedCertificate> refused_certificates() {
  return {refused_cases.begin(), refused_cases.end()};
}
std::vector<RefusedCertificate> strictly_refused_certificates() {
  return {strictly_refused_cases.begin(), strictly_refused_cases.end()};
}
std::vector<AcceptedCertificate> accepted_certificates() {
  return {accepted_cases.begin(), accepted_cases.end()};
}

std::vector<RefusedCertificate> refused_client_certificates() {
  return {refused_client_cases.begin(), refused_client_cases.end()};
}
std::vector<AcceptedCertificate> accepted_client_certificates() {
  return {accepted_client_cases.begin(), accepted_client_cases.end()};
}

}  // namespace tsock::test
