#include "tls/context_state.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <tsock/error.hpp>
#include <utility>

#include "tls/certificate_hash.hpp"
#include "tls/openssl_engine.hpp"

namespace tsock::inline v0::tls {

namespace {

constexpr std::size_t longest_alpn = 255;
constexpr std::size_t longest_alpn_list = std::size_t{32} * 1024;  // a hello has 64 KiB for all extensions
constexpr std::size_t longest_psk_identity = 128;
constexpr std::size_t longest_psk = 256;
constexpr std::uint32_t most_refused_early_data = 1024U * 1024U;
// Pre-shared keys go with SHA-256.
constexpr const char* suites_for_psk =
    "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";
constexpr std::chrono::seconds longest_ticket_lifetime = std::chrono::hours(7 * 24);

int number_of(Version version) noexcept {
  return version == Version::tls1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

bool has_name(const KeyMaterial& identity, std::string_view name) noexcept {
  return X509_check_host(identity.certificate.get(), name.data(), name.size(),
                         X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
                         nullptr) == 1;
}

bool use(SSL& ssl, const KeyMaterial& identity) noexcept {
  return SSL_use_cert_and_key(&ssl, identity.certificate.get(), identity.key.get(), identity.chain.get(),
                              1) == 1;
}

const ContextState& state_of(void* state) noexcept { return *static_cast<const ContextState*>(state); }

// OpenSSL takes any name, and looks for the directory when it needs a CA.
int look_at_directory(const std::string& path, std::string& reason) {
  if (path.empty()) return 0;
  struct stat status {};
  int err = ::stat(path.c_str(), &status) == 0 ? 0 : errno;
  if (err == 0 && !S_ISDIR(status.st_mode)) err = ENOTDIR;
  if (err != 0) reason = path + ": " + error_text(err);
  return err;
}

}  // namespace

const ContextState& ContextState::of(const SSL* ssl) noexcept {
  return state_of(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

ContextState::ContextState(Side side, const ProtocolOptions& protocol)
    : side_(side),
      protocol_(protocol),
      context_(SSL_CTX_new(side == Side::client ? TLS_client_method() : TLS_server_method())) {
  if (context_ == nullptr) throw std::bad_alloc();
}

std::shared_ptr<const ContextState> ContextState::make_client(const ClientOptions& options, int& err,
                                                              std::string& reason) {
  auto state = std::make_shared<ContextState>(Side::client, options.protocol);
  err = state->set_protocol(reason);
  if (err == 0) err = state->set_client(options, reason);
  if (err != 0) state.reset();
  return state;
}

std::shared_ptr<const ContextState> ContextState::make_server(const ServerOptions& options, int& err,
                                                              std::string& reason) {
  auto state = std::make_shared<ContextState>(Side::server, options.protocol);
  err = state->set_protocol(reason);
  if (err == 0) err = state->set_server(options, reason);
  if (err != 0) state.reset();
  return state;
}

// ---- what both sides have ----

int ContextState::set_protocol(std::string& reason) {
  SSL_CTX* const context = context_.get();
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(context,
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  if (protocol_.allow_missing_close_notify) SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  if (const int err = set_versions_and_ciphers(reason); err != 0) return err;
  if (const int err = set_alpn(reason); err != 0) return err;
  if (protocol_.key_log || protocol_.kernel_tls) {
    SSL_CTX_set_keylog_callback(context, [](const SSL* ssl, const char* line) {
      OpenSslEngine::of(ssl).note_key_log(line);
      try {
        if (const auto& key_log = of(ssl).protocol_.key_log) key_log(line);
      } catch (...) {  // NOLINT(bugprone-empty-catch): nothing may fly through OpenSSL
      }
    });
  }
  return 0;
}

int ContextState::set_versions_and_ciphers(std::string& reason) {
  SSL_CTX* const context = context_.get();
  if (protocol_.lowest > protocol_.highest) {
    reason = "the lowest version is above the highest";
    return EINVAL;
  }
  if (protocol_.security_level < 0 || protocol_.security_level > 5) {
    reason = "a security level is 0 to 5";
    return EINVAL;
  }
  SSL_CTX_set_security_level(context, protocol_.security_level);
  if (SSL_CTX_set_min_proto_version(context, number_of(protocol_.lowest)) != 1 ||
      SSL_CTX_set_max_proto_version(context, number_of(protocol_.highest)) != 1)
    return openssl_failure(EINVAL, "versions", reason);
  if (!protocol_.ciphers.empty() && SSL_CTX_set_cipher_list(context, protocol_.ciphers.c_str()) != 1)
    return openssl_failure(EINVAL, "ciphers \"" + protocol_.ciphers + '"', reason);
  if (!protocol_.cipher_suites.empty() &&
      SSL_CTX_set_ciphersuites(context, protocol_.cipher_suites.c_str()) != 1)
    return openssl_failure(EINVAL, "cipher suites \"" + protocol_.cipher_suites + '"', reason);
  if (!protocol_.groups.empty() && SSL_CTX_set1_groups_list(context, protocol_.groups.c_str()) != 1)
    return openssl_failure(EINVAL, "groups \"" + protocol_.groups + '"', reason);
  return 0;
}

// A server with certificates, too, would prefer a suite that no pre-shared key goes with.
int ContextState::prefer_suites_for_psk(std::string& reason) {
  if (!protocol_.cipher_suites.empty() || SSL_CTX_set_ciphersuites(context_.get(), suites_for_psk) == 1)
    return 0;
  return openssl_failure(EINVAL, "cipher suites for pre-shared keys", reason);
}

int ContextState::set_alpn(std::string& reason) {
  for (const std::string& name : protocol_.alpn) {
    if (name.empty() || name.size() > longest_alpn) {
      reason = "a protocol of ALPN has 1 to 255 bytes";
      return EINVAL;
    }
    alpn_ += static_cast<char>(static_cast<unsigned char>(name.size()));
    alpn_ += name;
  }
  if (alpn_.size() > longest_alpn_list) {
    reason = "the protocols of ALPN are too long together";
    return EINVAL;
  }
  if (alpn_.empty()) return 0;
  if (side_ == Side::client) {
    const auto* const data = reinterpret_cast<const unsigned char*>(alpn_.data());
    if (SSL_CTX_set_alpn_protos(context_.get(), data, static_cast<unsigned>(alpn_.size())) != 0)
      return openssl_failure(EINVAL, "ALPN", reason);
    return 0;
  }
  SSL_CTX_set_alpn_select_cb(
      context_.get(),
      [](SSL* /*ssl*/, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
         unsigned offered_size, void* state) {
        std::string_view found;
        const int result =
            state_of(state).choose_alpn({reinterpret_cast<const char*>(offered), offered_size}, found);
        *chosen = reinterpret_cast<const unsigned char*>(found.data());
        *size = static_cast<unsigned char>(found.size());
        return result;
      },
      this);
  return 0;
}

// A client that offers only what the server does not speak is refused, as RFC 7301 says.
int ContextState::choose_alpn(std::string_view offered, std::string_view& chosen) const noexcept {
  for (const std::string& name : protocol_.alpn) {
    for (std::string_view rest = offered; !rest.empty();) {
      const std::size_t size = static_cast<unsigned char>(rest.front());
      if (rest.size() - 1 < size) return SSL_TLSEXT_ERR_ALERT_FATAL;
      if (rest.substr(1, size) == name) {
        chosen = name;
        return SSL_TLSEXT_ERR_OK;
      }
      rest.remove_prefix(1 + size);
    }
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int ContextState::add_identity(const Identity& identity, std::string& reason) {
  KeyMaterial material;
  if (const int err = read_identity(identity, material, reason); err != 0) return err;
  if (material.certificate == nullptr) return 0;
  // The context serves the first one; the others are chosen by name, and only tried here.
  bool is_taken = false;
  if (identities_.empty()) {
    is_taken = SSL_CTX_use_cert_and_key(context_.get(), material.certificate.get(), material.key.get(),
                                        material.chain.get(), 1) == 1;
  } else {
    const OpenSslPointer<SSL> trial(SSL_new(context_.get()));
    if (trial == nullptr) return ENOMEM;
    is_taken = use(*trial, material);
  }
  if (!is_taken)
    return openssl_failure(EINVAL, "certificate of " + subject_of(material.certificate.get()), reason);
  if (hash_certificate(material.certificate.get(), material.certificate_hash) == ENOMEM) return ENOMEM;
  identities_.push_back(std::move(material));
  return 0;
}

int ContextState::set_trust(const Trust& trust, std::string& reason) {
  SSL_CTX* const context = context_.get();
  if (trust.system_cas && SSL_CTX_set_default_verify_paths(context) != 1)
    return openssl_failure(EINVAL, "CAs of the system", reason);
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  std::vector<OpenSslPointer<X509>> authorities;
  std::string text;
  int err = trust.ca_file.empty() ? 0 : read_file(trust.ca_file, text, reason);
  if (err == 0 && !trust.ca_file.empty()) err = read_certificates(text, trust.ca_file, authorities, reason);
  if (err == 0 && !trust.ca_pem.empty())
    err = read_certificates(trust.ca_pem, "the CAs", authorities, reason);
  if (err != 0) return err;
  for (const auto& authority : authorities) {
    if (X509_STORE_add_cert(store, authority.get()) != 1 ||
        (side_ == Side::server && SSL_CTX_add_client_CA(context, authority.get()) != 1))
      return openssl_failure(EINVAL, "CA " + subject_of(authority.get()), reason);
  }
  if (err = look_at_directory(trust.ca_directory, reason); err != 0) return err;
  if (!trust.ca_directory.empty() && SSL_CTX_load_verify_dir(context, trust.ca_directory.c_str()) != 1)
    return openssl_failure(EINVAL, trust.ca_directory, reason);
  trusted_ += text + trust.ca_pem + '\0' + trust.ca_directory + '\0' + (trust.system_cas ? 's' : '-');

  std::vector<OpenSslPointer<X509_CRL>> lists;
  text.clear();
  err = trust.crl_file.empty() ? 0 : read_file(trust.crl_file, text, reason);
  if (err == 0 && !trust.crl_file.empty()) err = read_revocation_lists(text, trust.crl_file, lists, reason);
  if (err == 0 && !trust.crl_pem.empty())
    err = read_revocation_lists(trust.crl_pem, "the revocation lists", lists, reason);
  if (err != 0) return err;
  for (const auto& list : lists) {
    if (X509_STORE_add_crl(store, list.get()) != 1)
      return openssl_failure(EINVAL, "a revocation list", reason);
  }
  if (!lists.empty()) X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  trusted_ += text + trust.crl_pem + '\0';
  for (const std::string& pin : trust.pinned_keys) {
    if (err = check_.add_pin(pin, reason); err != 0) return err;
    trusted_ += pin + '\0';
  }
  return 0;
}

// ---- the client ----

int ContextState::set_client(const ClientOptions& options, std::string& reason) {
  SSL_CTX* const context = context_.get();
  check_.set_level(options.verify);
  check_.set_ocsp(options.ocsp);
  if (const int err = add_identity(options.identity, reason); err != 0) return err;
  if (const int err = set_trust(options.trust, reason); err != 0) return err;
  if (options.verify == VerifyLevel::as_strict_as_possible) {
    X509_STORE_set_flags(SSL_CTX_get_cert_store(context),
                         X509_V_FLAG_X509_STRICT | X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  }
  const bool checks_nothing = options.verify == VerifyLevel::no_check && !check_.has_pins();
  check_.install(*context, checks_nothing ? SSL_VERIFY_NONE : SSL_VERIFY_PEER);
  if (options.ocsp != OcspCheck::none) {
    SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(
        context, +[](SSL* ssl, void* /*unused*/) { return OpenSslEngine::of(ssl).judge_ocsp_response(); });
  }
  if (options.psk.identity.size() > longest_psk_identity || options.psk.key.size() > longest_psk) {
    reason = "a pre-shared key has at most 256 bytes, and its name 128";
    return EINVAL;
  }
  const std::string& name = options.psk.identity;
  if (!options.psk.key.empty() && (name.empty() || name.find('\0') != std::string::npos)) {
    reason = "the name of a pre-shared key has no NUL and is not empty";
    return EINVAL;
  }
  psk_ = options.psk;
  if (!psk_.key.empty()) {
    if (const int err = prefer_suites_for_psk(reason); err != 0) return err;
    SSL_CTX_set_psk_client_callback(context,
                                    [](SSL* ssl, const char* /*hint*/, char* identity, unsigned identity_size,
                                       unsigned char* key, unsigned key_size) {
                                      return of(ssl).give_psk({identity, identity_size}, {key, key_size});
                                    });
  }
  if (options.remembered_servers != 0) {
    sessions_.remember(options.remembered_servers);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, [](SSL* ssl, SSL_SESSION* session) {
      OpenSslEngine::of(ssl).remember(OpenSslPointer<SSL_SESSION>(session));
      return 1;
    });
  }
  return 0;
}

unsigned ContextState::give_psk(std::span<char> identity, std::span<unsigned char> key) const noexcept {
  if (psk_.identity.size() >= identity.size() || psk_.key.size() > key.size()) return 0;
  std::memcpy(identity.data(), psk_.identity.c_str(), psk_.identity.size() + 1);
  std::memcpy(key.data(), psk_.key.data(), psk_.key.size());
  return static_cast<unsigned>(psk_.key.size());
}

// ---- the server ----

int ContextState::set_server(const ServerOptions& options, std::string& reason) {
  SSL_CTX* const context = context_.get();
  for (const Identity& identity : options.identities) {
    if (const int err = add_identity(identity, reason); err != 0) return err;
  }
  if (identities_.empty() && options.find_psk == nullptr) {
    reason = "a server needs a certificate and its key";
    return EINVAL;
  }
  if (const int err = set_trust(options.trust, reason); err != 0) return err;
  int mode = SSL_VERIFY_NONE;
  if (options.client_auth != ClientAuth::none) mode = SSL_VERIFY_PEER;
  if (options.client_auth == ClientAuth::require) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  check_.install(*context, mode);

  // That the server understands a name, whatever certificate it has for it.
  SSL_CTX_set_tlsext_servername_callback(
      context, +[](SSL* /*ssl*/, int* /*alert*/, void* /*unused*/) { return SSL_TLSEXT_ERR_OK; });
  if (identities_.size() > 1) {
    SSL_CTX_set_cert_cb(
        context, [](SSL* ssl, void* state) { return state_of(state).choose_identity(ssl) ? 1 : 0; }, this);
  }
  const auto has_response = [](const KeyMaterial& identity) { return !identity.ocsp_response.empty(); };
  if (std::any_of(identities_.begin(), identities_.end(), has_response)) {
    SSL_CTX_set_tlsext_status_cb(
        context, +[](SSL* ssl, void* /*unused*/) { return of(ssl).staple(ssl); });
  }
  find_psk_ = options.find_psk;
  if (find_psk_ != nullptr) {
    if (const int err = prefer_suites_for_psk(reason); err != 0) return err;
    SSL_CTX_set_psk_server_callback(
        context, [](SSL* ssl, const char* identity, unsigned char* key, unsigned key_size) {
          return of(ssl).find_psk(ssl, identity != nullptr ? identity : "", {key, key_size});
        });
  }
  trusted_ += static_cast<char>(options.client_auth);
  return set_tickets(options, reason);
}

bool ContextState::choose_identity(SSL* ssl) const noexcept {
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return true;
  bool is_first = true;
  for (const KeyMaterial& identity : identities_) {
    if (!has_name(identity, name)) continue;
    if (std::exchange(is_first, false)) SSL_certs_clear(ssl);
    if (!use(*ssl, identity)) return false;
  }
  return true;
}

std::span<const std::byte> ContextState::certificate_hash(const SSL& ssl) const noexcept {
  const X509* const used = SSL_get_certificate(&ssl);
  for (const KeyMaterial& identity : identities_) {
    if (identity.certificate.get() == used) return identity.certificate_hash;
  }
  return {};
}

int ContextState::staple(SSL* ssl) const noexcept {
  const X509* const used = SSL_get_certificate(ssl);
  for (const KeyMaterial& identity : identities_) {
    const std::string& response = identity.ocsp_response;
    if (identity.certificate.get() != used || response.empty()) continue;
    void* const copy = OPENSSL_memdup(response.data(), response.size());
    if (copy == nullptr) return SSL_TLSEXT_ERR_ALERT_FATAL;
    SSL_set_tlsext_status_ocsp_resp(ssl, static_cast<unsigned char*>(copy),
                                    static_cast<long>(response.size()));
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

unsigned ContextState::find_psk(SSL* ssl, std::string_view identity,
                                std::span<unsigned char> key) const noexcept {
  try {
    const PreSharedKey found = find_psk_(identity);
    if (found.key.empty() || found.key.size() > key.size()) return 0;
    std::memcpy(key.data(), found.key.data(), found.key.size());
    OpenSslEngine::of(ssl).note_psk_identity(identity);
    return static_cast<unsigned>(found.key.size());
  } catch (const std::bad_alloc&) {
    OpenSslEngine::of(ssl).note_shortage();
    return 0;
  } catch (...) {
    return 0;  // nothing may fly through OpenSSL: no key
  }
}

// ---- tickets ----

int ContextState::set_tickets(const ServerOptions& options, std::string& reason) {
  SSL_CTX* const context = context_.get();
  if (options.ticket_lifetime.count() < 1 || options.ticket_lifetime > longest_ticket_lifetime) {
    reason = "a ticket lives 1 second to 7 days";
    return EINVAL;
  }
  // Of early data that is refused, as a client may know this server from a time when more was allowed.
  if (SSL_CTX_set_recv_max_early_data(context,
                                      std::max(options.replayable_early_data, most_refused_early_data)) != 1)
    return openssl_failure(EINVAL, "early data", reason);
  SSL_CTX_set_timeout(context, static_cast<long>(options.ticket_lifetime.count()));
  if (SSL_CTX_set_num_tickets(context, options.tickets) != 1)
    return openssl_failure(EINVAL, "tickets", reason);
  if (options.tickets == 0) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    return 0;
  }
  if (options.replayable_early_data != 0) {
    // Against replays OpenSSL keeps the sessions itself.
    takes_early_data_ = true;
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER);
    if (SSL_CTX_set_max_early_data(context, options.replayable_early_data) != 1)
      return openssl_failure(EINVAL, "early data", reason);
  }
  SSL_CTX_set_session_ticket_cb(
      context, [](SSL* ssl, void* /*unused*/) { return OpenSslEngine::of(ssl).annotate_session() ? 1 : 0; },
      nullptr, nullptr);
  ticket_keys_ = options.ticket_keys.ring();
  SSL_CTX_set_tlsext_ticket_key_evp_cb(
      context, [](SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                  int seals) { return of(ssl).seal_or_open_ticket(ssl, seals != 0, name, iv, cipher, mac); });
  return bind_sessions(reason);
}

// A session that was made where less was asked of the client must not pass where more is asked, although the
// contexts share their ticket keys.
int ContextState::bind_sessions(std::string& reason) {
  std::array<unsigned char, 32> hash{};
  static_assert(hash.size() <= SSL_MAX_SID_CTX_LENGTH);
  if (EVP_Digest(trusted_.data(), trusted_.size(), hash.data(), nullptr, EVP_sha256(), nullptr) != 1 ||
      SSL_CTX_set_session_id_context(context_.get(), hash.data(), static_cast<unsigned>(hash.size())) != 1)
    return openssl_failure(EINVAL, "sessions", reason);
  return 0;
}

// \return as SSL_CTX_set_tlsext_ticket_key_evp_cb(3) says: 1, 2 for a new ticket, 0 without a key, -1
int ContextState::seal_or_open_ticket(const SSL* ssl, bool seals, unsigned char* name, unsigned char* iv,
                                      EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) const noexcept {
  if (seals) return ticket_keys_->seal(name, iv, *cipher, *mac) ? 1 : -1;
  switch (ticket_keys_->open(name, iv, *cipher, *mac)) {
    case TicketKeyRing::Opened::no_key:
      return 0;
    case TicketKeyRing::Opened::failed:
      return -1;
    case TicketKeyRing::Opened::by_old_key:
      return 2;
    case TicketKeyRing::Opened::by_newest_key:
      break;
  }
  return SSL_version(ssl) >= TLS1_3_VERSION ? 2 : 1;  // those of TLS 1.3 are used once
}

}  // namespace tsock::inline v0::tls
