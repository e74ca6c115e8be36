#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <span>
#include <tsock/layer/layer_over.hpp>
#include <tsock/tls/peer.hpp>

#include "tls/certificate_hash.hpp"
#include "tls/openssl_engine.hpp"

namespace tsock::inline v0::tls {

namespace {

constexpr std::size_t most_keying_material = 16384;

const OpenSslEngine* tls_of(const Stream& stream, int& err) noexcept {
  const auto* const engine = dynamic_cast<const OpenSslEngine*>(layer::engine_of(stream));
  err = engine != nullptr ? 0 : ENOTSUP;
  return engine;
}

std::string text_or_empty(const char* text) { return text != nullptr ? text : ""; }

std::string pem_of(X509* certificate) {
  const OpenSslPointer<BIO> target(BIO_new(BIO_s_mem()));
  if (target == nullptr || PEM_write_bio_X509(target.get(), certificate) != 1) throw std::bad_alloc();
  char* data = nullptr;
  const long size = BIO_get_mem_data(target.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::vector<std::string> chain_of(SSL* ssl, X509* own) {
  std::vector<std::string> chain{pem_of(own)};
  STACK_OF(X509)* const sent = SSL_get_peer_cert_chain(ssl);
  for (int i = 0; i < sk_X509_num(sent); ++i) {
    X509* const certificate = sk_X509_value(sent, i);
    // A client's list has the peer's own one, too.
    if (X509_cmp(certificate, own) != 0) chain.push_back(pem_of(certificate));
  }
  return chain;
}

int bind_to_server_certificate(const OpenSslEngine& engine, std::vector<std::byte>& binding) {
  if (engine.context().side() == ContextState::Side::client)
    return hash_certificate(SSL_get0_peer_certificate(engine.ssl()), binding);
  if (!engine.psk_identity().empty()) return ENOTSUP;  // none was shown
  const auto hash =
      engine.is_resumed() ? engine.resumed_binding() : engine.context().certificate_hash(*engine.ssl());
  binding.assign(hash.begin(), hash.end());
  return binding.empty() ? ENOTSUP : 0;
}

// The Finished message that was the first in the handshake. In a full handshake that is the client's, in one
// that resumes a session the server's.
int first_finished(const OpenSslEngine& engine, std::vector<std::byte>& binding) {
  SSL* const ssl = engine.ssl();
  if (SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) != 1) return ENOTSUP;
  const bool is_client = engine.context().side() == ContextState::Side::client;
  std::array<std::byte, EVP_MAX_MD_SIZE> bytes{};
  const std::size_t size = is_client == (SSL_session_reused(ssl) == 0)
                               ? SSL_get_finished(ssl, bytes.data(), bytes.size())
                               : SSL_get_peer_finished(ssl, bytes.data(), bytes.size());
  if (size == 0 || size > bytes.size()) return ENOTSUP;
  binding.assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  return 0;
}

}  // namespace

Peer peer(const Stream& stream, int& err) {
  Peer peer;
  const OpenSslEngine* const engine = tls_of(stream, err);
  if (engine == nullptr) return peer;
  SSL* const ssl = engine->ssl();
  peer.version = SSL_get_version(ssl);
  peer.cipher = text_or_empty(SSL_get_cipher_name(ssl));
  if (const long group = SSL_get_negotiated_group(ssl); group > 0)
    peer.group = text_or_empty(SSL_group_to_name(ssl, static_cast<int>(group)));
  const unsigned char* alpn = nullptr;
  unsigned alpn_size = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &alpn_size);
  if (alpn_size != 0) peer.alpn.assign(reinterpret_cast<const char*>(alpn), alpn_size);
  peer.server_name = text_or_empty(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
  peer.psk_identity = engine->psk_identity();
  peer.is_resumed = engine->is_resumed();
  peer.kernel_sends = engine->kernel() != nullptr && engine->kernel()->has_taken_over();
  peer.early_data = engine->early_data();
  const unsigned char* response = nullptr;
  const long response_size = SSL_get_tlsext_status_ocsp_resp(ssl, &response);
  if (response != nullptr && response_size > 0 && engine->context().side() == ContextState::Side::client)
    peer.ocsp_response.assign(reinterpret_cast<const char*>(response),
                              static_cast<std::size_t>(response_size));
  X509* const own = SSL_get0_peer_certificate(ssl);
  if (own == nullptr) return peer;
  const long verified = SSL_get_verify_result(ssl);
  peer.verification = X509_verify_cert_error_string(verified);
  peer.is_verified = verified == X509_V_OK && engine->context().check().level() != VerifyLevel::no_check;
  peer.chain = chain_of(ssl, own);
  return peer;
}

std::vector<std::byte> channel_binding(const Stream& stream, ChannelBinding kind, int& err) {
  constexpr std::size_t exporter_size = 32;
  std::vector<std::byte> binding;
  const OpenSslEngine* const engine = tls_of(stream, err);
  if (engine == nullptr) return binding;
  switch (kind) {
    case ChannelBinding::server_end_point:
      err = bind_to_server_certificate(*engine, binding);
      break;
    case ChannelBinding::exporter:
      // RFC 9266 section 4.2: without the extended master secret it binds nothing.
      if (SSL_version(engine->ssl()) < TLS1_3_VERSION && SSL_get_extms_support(engine->ssl()) != 1) {
        err = ENOTSUP;
        break;
      }
      return export_keying_material(stream, "EXPORTER-Channel-Binding", "", exporter_size, err);
    case ChannelBinding::unique:
      err = first_finished(*engine, binding);
      break;
  }
  return binding;
}

std::vector<std::byte> export_keying_material(const Stream& stream, std::string_view label, ByteView context,
                                              std::size_t size, int& err) {
  std::vector<std::byte> material;
  const OpenSslEngine* const engine = tls_of(stream, err);
  if (engine == nullptr) return material;
  if (size == 0 || size > most_keying_material || label.empty()) {
    err = EINVAL;
    return material;
  }
  material.resize(size);
  const auto bytes = context.bytes();
  if (SSL_export_keying_material(
          engine->ssl(), reinterpret_cast<unsigned char*>(material.data()), size, label.data(), label.size(),
          reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), 1) != 1) {
    ERR_clear_error();
    material.clear();
    err = ENOMEM;
  }
  return material;
}

}  // namespace tsock::inline v0::tls
