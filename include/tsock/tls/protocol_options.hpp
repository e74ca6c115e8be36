#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <tsock/tls/version.hpp>
#include <vector>

namespace tsock::inline v0::tls {

/// What is the same on both sides.
struct ProtocolOptions {
  Version lowest = Version::tls1_2;
  Version highest = Version::tls1_3;
  /// Of TLS 1.2, in OpenSSL's words (ciphers(1)); empty: its default. A server takes the first of its own
  /// that the client has (SSL_OP_CIPHER_SERVER_PREFERENCE), of `cipher_suites` as well.
  std::string ciphers = {};
  std::string cipher_suites = {};  ///< of TLS 1.3, separated by colons; empty: OpenSSL's default, and with
                                   ///< pre-shared keys those with SHA-256 first, as other ones take no key
  std::string groups = {};         ///< of the key exchange, separated by colons; empty: OpenSSL's default
  /// OpenSSL's measure of what is too weak: at 2 keys of less than 112 bits of security, such as RSA with
  /// 1024 bits, and SHA-1 signatures are refused (SSL_CTX_set_security_level(3)).
  int security_level = 2;
  std::vector<std::string> alpn = {};  ///< protocols to offer or to choose from, the best one first
  /// Takes a connection that ends without close_notify for one that ended in order. For peers that close so,
  /// and protocols whose messages tell their length: anybody on the way can cut the stream unnoticed,
  /// though not inside a record.
  bool allow_missing_close_notify = false;
  /// Gets the lines of a key log, with which Wireshark decrypts a capture. They are secrets. Called from the
  /// threads that run handshakes; what it throws is lost.
  std::function<void(std::string_view line)> key_log = {};
  /// Leaves it to the kernel to encrypt what is sent (kTLS), where it offers that: Linux with CONFIG_TLS, a
  /// stream that is itself a TCP socket, AES-GCM or ChaCha20-Poly1305. It is asked once, behind the
  /// handshake; otherwise OpenSSL encrypts as ever, and `Peer::kernel_sends` tells. What is received stays
  /// with OpenSSL. A peer of TLS 1.3 that then asks for new keys ends the connection (EPROTO): most kernels
  /// take no second ones. Not tried on a kernel that offers it; docs/platforms.md says what the tests have in
  /// its place.
  bool kernel_tls = false;
};

}  // namespace tsock::inline v0::tls
