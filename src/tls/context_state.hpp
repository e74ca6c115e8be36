#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tsock/tls/client_options.hpp>
#include <tsock/tls/server_options.hpp>
#include <vector>

#include "tls/certificate_check.hpp"
#include "tls/key_material.hpp"
#include "tls/openssl.hpp"
#include "tls/session_cache.hpp"
#include "tls/ticket_key_ring.hpp"

namespace tsock::inline v0::tls {

/// What is behind a Context: OpenSSL's context, and what OpenSSL asks for by callbacks. Once it is made only
/// the sessions and the ticket keys change, under locks of their own.
class ContextState {
 public:
  enum class Side : bool { client, server };

  // Each \return null on failure, with an errno value and the reason in words.
  static std::shared_ptr<const ContextState> make_client(const ClientOptions& options, int& err,
                                                         std::string& reason);
  static std::shared_ptr<const ContextState> make_server(const ServerOptions& options, int& err,
                                                         std::string& reason);

  /// The parts that both sides have.
  ContextState(Side side, const ProtocolOptions& protocol);
  ContextState(const ContextState&) = delete;
  ContextState& operator=(const ContextState&) = delete;
  ~ContextState() = default;

  [[nodiscard]] Side side() const noexcept { return side_; }
  [[nodiscard]] SSL_CTX* context() const noexcept { return context_.get(); }
  [[nodiscard]] const CertificateCheck& check() const noexcept { return check_; }
  [[nodiscard]] bool has_psk() const noexcept { return !psk_.key.empty() || find_psk_ != nullptr; }
  [[nodiscard]] bool has_identity() const noexcept { return !identities_.empty(); }
  /// The hash of the certificate that this side has shown, as a channel binding; empty where there is none.
  [[nodiscard]] std::span<const std::byte> certificate_hash(const SSL& ssl) const noexcept;
  [[nodiscard]] const ProtocolOptions& protocol() const noexcept { return protocol_; }
  [[nodiscard]] bool takes_early_data() const noexcept { return takes_early_data_; }
  /// Of servers that this client knows.
  [[nodiscard]] SessionCache& sessions() const noexcept { return sessions_; }
  [[nodiscard]] static const ContextState& of(const SSL* ssl) noexcept;

 private:
  int set_protocol(std::string& reason);
  int set_versions_and_ciphers(std::string& reason);
  int prefer_suites_for_psk(std::string& reason);
  int set_alpn(std::string& reason);
  int set_client(const ClientOptions& options, std::string& reason);
  int set_server(const ServerOptions& options, std::string& reason);
  int add_identity(const Identity& identity, std::string& reason);
  int set_trust(const Trust& trust, std::string& reason);
  int set_tickets(const ServerOptions& options, std::string& reason);
  int bind_sessions(std::string& reason);

  // What OpenSSL asks.
  int choose_alpn(std::string_view offered, std::string_view& chosen) const noexcept;
  bool choose_identity(SSL* ssl) const noexcept;
  int staple(SSL* ssl) const noexcept;
  unsigned give_psk(std::span<char> identity, std::span<unsigned char> key) const noexcept;
  unsigned find_psk(SSL* ssl, std::string_view identity, std::span<unsigned char> key) const noexcept;
  int seal_or_open_ticket(const SSL* ssl, bool seals, unsigned char* name, unsigned char* iv,
                          EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) const noexcept;

  Side side_;
  bool takes_early_data_ = false;
  ProtocolOptions protocol_;
  std::string alpn_;  // as it is sent: each name behind its length
  std::vector<KeyMaterial> identities_;
  CertificateCheck check_;
  std::string trusted_;  // everything that decides whether a client is trusted, to be hashed
  PreSharedKey psk_;
  std::function<PreSharedKey(std::string_view)> find_psk_;
  std::shared_ptr<TicketKeyRing> ticket_keys_;
  mutable SessionCache sessions_;
  OpenSslPointer<SSL_CTX> context_;
};

}  // namespace tsock::inline v0::tls
