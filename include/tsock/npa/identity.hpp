#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/address.hpp>
#include <tsock/export.hpp>
#include <tsock/npa/account_info.hpp>
#include <tsock/npa/guid.hpp>
#include <tsock/npa/secret_bytes.hpp>
#include <tsock/npa/security_token.hpp>
#include <tsock/npa/sid.hpp>
#include <tsock/npa/ticket_type.hpp>
#include <tsock/npa/transport.hpp>
#include <tsock/npa/unix_names.hpp>
#include <tsock/npa/unix_token.hpp>

namespace tsock::inline v0::npa {

/// Who a client is, in the words of the one who has authenticated it: what a request of NPA says. A server
/// believes it because only a trusted process can connect to its socket.
///
/// Copies may throw std::bad_alloc. All texts are UTF-8 without NUL; in an identity of a request that was
/// received they hold what the peer has sent, so print them with care. A client cannot send an identity that
/// breaks a limit named here, nor one without a SID: EINVAL.
struct TSOCK_EXPORT Identity {
  Transport transport = Transport::ncacn_np;
  std::optional<std::string> remote_name{};  ///< of the client's computer
  Address remote_address{};                  ///< of the client: IP with port, or none
  std::optional<std::string> local_name{};   ///< of the server
  Address local_address{};                   ///< that the client has connected to: IP with port, or none

  SecurityToken token{};
  // Samba's servers take an RPC call, as opposed to a bind, only with all three of these.
  std::optional<UnixToken> unix_token{};
  std::optional<AccountInfo> account{};
  std::optional<UnixNames> unix_names{};

  SecretBytes session_key{};  ///< of the SMB session
  SecretBytes
      exported_gssapi_credentials{};  ///< that the client has delegated, as gss_export_cred() writes it
  Guid unique_session_token{};
  TicketType ticket_type = TicketType::unknown;

  /// A client who has not said who he is, as smbd describes one: everything that Samba's servers want for
  /// calls. The names are the texts of the addresses, and may be changed. Throws std::bad_alloc.
  [[nodiscard]] static Identity anonymous(const Address& remote, const Address& local);
  /// An authenticated user, likewise. Its token has the user, the usual groups and, as S-1-22-..., the ids of
  /// `unix_token`; add further groups behind. Throws std::bad_alloc.
  [[nodiscard]] static Identity user(const Sid& sid, std::string_view domain, std::string_view name,
                                     const UnixToken& unix_token, const Address& remote,
                                     const Address& local);

  /// Whether the token has S-1-5-7 as its user.
  [[nodiscard]] bool is_anonymous() const noexcept;
  /// Whether the token is one of authenticated users, S-1-5-11, or of the system itself.
  [[nodiscard]] bool is_authenticated() const noexcept;
  /// One line for logs, without secrets and with everything unprintable escaped:
  /// "S-1-5-21-1-2-3-1000 uid 1000 from 192.0.2.1:5000". The wording may change. Throws
  /// std::bad_alloc.
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const Identity&, const Identity&) = default;
};

}  // namespace tsock::inline v0::npa
