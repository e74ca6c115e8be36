#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tsock/export.hpp>

namespace tsock::inline v0::gssapi {

class CredentialsState;

/// Who one is, and how one proves it. A value that is cheap to copy; streams of any loop and thread may use
/// one at the same time. It is acquired where it is needed, on the worker thread of a handshake; what a KDC
/// was asked for is kept for the handshakes behind it as long as it lives.
///
/// Handshakes that need the same answer of a KDC ask once: the others wait on their worker threads, and share
/// the answer, an error too. So a KDC that is silent holds them for as long as libkrb5 is patient with it,
/// half a minute say, and not one after the other; their requests end before that by cancelling or a
/// deadline. What is kept already waits for no KDC. Functions throw std::bad_alloc.
///
/// On Windows SSPI has the tickets and keys of the logon and those of a password: with caches and keytabs a
/// handshake ends with ENOTSUP, and so does `store()`.
class TSOCK_EXPORT Credentials {
 public:
  /// What the system has for this process: KRB5CCNAME and KRB5_KTNAME, or their defaults.
  Credentials() noexcept;
  Credentials(const Credentials&) noexcept;
  Credentials(Credentials&&) noexcept;
  Credentials& operator=(const Credentials&) noexcept;
  Credentials& operator=(Credentials&&) noexcept;
  ~Credentials();

  /// Tickets of a cache, "FILE:/tmp/krb5cc_0" say; read anew for each handshake. \param principal whose;
  /// empty: the cache's own
  [[nodiscard]] static Credentials from_ccache(std::string name, std::string principal = {});
  /// Keys of a file: a server's, or a client's, which gets its ticket with them. \param principal whose; a
  /// client needs it where the file has several; empty for a server: any that is in the file
  [[nodiscard]] static Credentials from_keytab(std::string name, std::string principal = {});
  /// A client that gets its ticket with a password, whose copy here is wiped when the last of these goes.
  [[nodiscard]] static Credentials with_password(std::string principal, std::string_view password);

  /// Whether they are other than the system's.
  explicit operator bool() const noexcept { return state_ != nullptr; }

  /// Writes the tickets into a cache, for a program that is to act for their owner. Blocks: see
  /// `run_on_worker()`. \return 0, or an errno value with the `reason` in words: EINVAL for the system's own,
  /// what acquiring gives (see `connect()`), EIO for a cache that cannot be written
  [[nodiscard]] int store(const std::string& ccache, std::string& reason) const;

  /// For implementers.
  explicit Credentials(std::shared_ptr<CredentialsState> state) noexcept;
  [[nodiscard]] const std::shared_ptr<CredentialsState>& state() const noexcept { return state_; }

 private:
  std::shared_ptr<CredentialsState> state_;
};

}  // namespace tsock::inline v0::gssapi
