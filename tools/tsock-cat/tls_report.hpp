#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace tsock_cat {

/// A certificate of the peer, in texts that are safe on a terminal.
struct TlsCertificate {
  std::string subject;
  std::string issuer;
  std::string serial;
  std::chrono::sys_seconds not_before = {};
  std::chrono::sys_seconds not_after = {};
  std::vector<std::string> names;
  std::string key;        ///< "EC prime256v1, 256 bits"
  std::string signature;  ///< the hash of it
  std::string pin;        ///< as --tls-pin takes it
};

/// What a TLS handshake has agreed on.
struct TlsReport {
  std::string version;
  std::string cipher;
  std::string group;
  std::string alpn;
  std::string server_name;
  std::string psk_identity;
  std::string verification;
  bool is_verified = false;
  bool is_resumed = false;
  std::vector<TlsCertificate> chain;  ///< as the peer has sent it, its own first
};

/// "TLSv1.3, TLS_AES_128_GCM_SHA256, x25519, ALPN h2, certificate of CN=www.example.com verified".
[[nodiscard]] std::string summary(const TlsReport& report);

/// All of it, in lines that end with a line feed. \param now tells what has expired
[[nodiscard]] std::string details(const TlsReport& report, std::chrono::sys_seconds now);

/// "2026-11-28 15:59:21 UTC".
[[nodiscard]] std::string time_text(std::chrono::sys_seconds time);

/// What the peer has chosen, with everything escaped that is not printable ASCII.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace tsock_cat
