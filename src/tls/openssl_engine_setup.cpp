// What an OpenSslEngine does before its handshake.

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <new>
#include <utility>

#include "tls/openssl_engine.hpp"
#include "tls/peer_name.hpp"

namespace tsock::inline v0::tls {

int OpenSslEngine::make_ssl() noexcept {
  ERR_clear_error();
  ssl_.reset(SSL_new(context_->context()));
  OpenSslPointer<BIO> bio = make_block_bio(transfer_);
  if (ssl_ == nullptr || bio == nullptr || SSL_set_app_data(ssl_.get(), this) != 1) return ENOMEM;
  BIO* const both = bio.release();
  SSL_set_bio(ssl_.get(), both, both);
  return context_->protocol().kernel_tls ? watch_for_kernel() : 0;
}

int OpenSslEngine::prepare_server() noexcept {
  if (const int err = make_ssl(); err != 0) return err;
  SSL_set_accept_state(ssl_.get());
  if (!context_->takes_early_data()) return 0;
  early_data_.reset(new (std::nothrow) EarlyDataTransfer());
  return early_data_ != nullptr ? 0 : ENOMEM;
}

int OpenSslEngine::prepare_client(const ConnectOptions& options) noexcept {
  if (const int err = make_ssl(); err != 0) return err;
  SSL_set_connect_state(ssl_.get());
  try {
    if (const int err = expect_peer(options.peer_name); err != 0) return err;
    if (const int err = ask_for(options.server_name); err != 0) return err;
    if (options.resume && !session_name_.empty()) {
      if (const auto session = context_->sessions().take(session_name_); session != nullptr)
        SSL_set_session(ssl_.get(), session.get());
    }
    const std::span<const std::byte> early_data = options.early_data.bytes();
    if (!early_data.empty()) early_data_ = std::make_unique<EarlyDataTransfer>(early_data);
    return 0;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

int OpenSslEngine::expect_peer(const std::string& peer_name) noexcept {
  const VerifyLevel level = context_->check().level();
  PeerName name;
  try {
    name = PeerName::parse(peer_name);
    session_name_ = name.text;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
  if (name.kind == PeerName::Kind::invalid)
    return fail(EINVAL, "the peer's name is neither an IP address nor a DNS name in ASCII");
  if (name.kind == PeerName::Kind::none) {
    needs_psk_ = level >= VerifyLevel::ca_and_name;
    if (needs_psk_ && !context_->has_psk())
      return fail(EINVAL, "the peer's name is needed to verify its certificate");
    return needs_psk_ ? offer_psk_only() : 0;
  }
  const bool is_dns = name.kind == PeerName::Kind::dns;
  if (is_dns && SSL_set_tlsext_host_name(ssl_.get(), name.text.c_str()) != 1) return ENOMEM;
  if (level < VerifyLevel::ca_and_name_if_available) return 0;
  X509_VERIFY_PARAM* const expected = SSL_get0_param(ssl_.get());
  X509_VERIFY_PARAM_set_hostflags(expected,
                                  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  const int done = is_dns ? X509_VERIFY_PARAM_set1_host(expected, name.text.c_str(), name.text.size())
                          : X509_VERIFY_PARAM_set1_ip_asc(expected, name.text.c_str());
  return done == 1 ? 0 : ENOMEM;
}

// A server that has certificates, too, would prefer them, and be refused.
int OpenSslEngine::offer_psk_only() noexcept {
  try {
    const std::string& ciphers = context_->protocol().ciphers;
    const std::string without = (ciphers.empty() ? "DEFAULT" : ciphers) + ":!aRSA:!aECDSA:!aDSS";
    // Without any for TLS 1.2 those of TLS 1.3 are left.
    if (SSL_set_cipher_list(ssl_.get(), without.c_str()) != 1) ERR_clear_error();
    return 0;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

// A session belongs to both names: a server may have others for another SNI.
int OpenSslEngine::ask_for(const std::string& server_name) {
  if (server_name.empty()) return 0;
  const PeerName name = PeerName::parse(server_name);
  if (name.kind != PeerName::Kind::dns)
    return fail(EINVAL, "the server's name (SNI) is no DNS name in ASCII");
  if (!session_name_.empty() && session_name_ != name.text) session_name_ += ' ' + name.text;
  return SSL_set_tlsext_host_name(ssl_.get(), name.text.c_str()) == 1 ? 0 : ENOMEM;
}

}  // namespace tsock::inline v0::tls
