#include "gssapi/sspi/credentials_state.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <span>
#include <tsock/gssapi/credentials.hpp>
#include <utility>

#include "gssapi/sspi/status.hpp"
#include "gssapi/sspi/wide_text.hpp"

namespace tsock::inline v0::gssapi {

namespace {

unsigned short* place_of(std::wstring& text) noexcept {
  return reinterpret_cast<unsigned short*>(text.data());
}

/// A user and a password as SSPI takes them; the password is wiped when it goes.
class Identity {
 public:
  Identity() = default;
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;
  ~Identity() { ::SecureZeroMemory(password_.data(), password_.size() * sizeof(wchar_t)); }

  // "user@REALM", "DOMAIN\user" or a user of the system's own domain.
  bool set(std::string_view principal, std::string_view password) {
    std::string_view user = principal;
    std::string_view domain;
    if (const std::size_t slash = principal.find('\\'); slash != std::string_view::npos) {
      domain = principal.substr(0, slash);
      user = principal.substr(slash + 1);
    } else if (const std::size_t at = principal.rfind('@'); at != std::string_view::npos) {
      user = principal.substr(0, at);
      domain = principal.substr(at + 1);
    }
    if (user.empty() || !widen(user, user_) || !widen(domain, domain_) || !widen(password, password_))
      return false;
    identity_.User = place_of(user_);
    identity_.UserLength = static_cast<unsigned long>(user_.size());
    identity_.Domain = place_of(domain_);
    identity_.DomainLength = static_cast<unsigned long>(domain_.size());
    identity_.Password = place_of(password_);
    identity_.PasswordLength = static_cast<unsigned long>(password_.size());
    identity_.Flags = SEC_WINNT_AUTH_IDENTITY_UNICODE;
    return true;
  }
  [[nodiscard]] SEC_WINNT_AUTH_IDENTITY_W* get() noexcept { return &identity_; }

 private:
  std::wstring user_;
  std::wstring domain_;
  std::wstring password_;
  SEC_WINNT_AUTH_IDENTITY_W identity_{};
};

}  // namespace

CredentialsState::CredentialsState(Source source, std::string principal, std::string_view password)
    : source_(source), principal_(std::move(principal)) {
  password_.resize(password.size());
  std::ranges::copy(std::as_bytes(std::span(password)), password_.bytes().begin());
}

int CredentialsState::refuse_cache(std::string& reason) {
  reason = "SSPI has tickets and keys of the system and those of a password, and no caches and keytabs";
  return ENOTSUP;
}

int CredentialsState::acquire(const std::shared_ptr<CredentialsState>& state, Use use, const wchar_t* package,
                              SspiCredential& credential, std::string& reason) {
  Identity identity;
  if (state != nullptr) {
    if (state->source_ != Source::password) return refuse_cache(reason);
    const std::span<const std::byte> password = std::as_const(state->password_).bytes();
    if (!identity.set(state->principal_, {reinterpret_cast<const char*>(password.data()), password.size()})) {
      reason = "a user or a password is none: user@REALM is";
      return EINVAL;
    }
  }
  std::wstring name(package);
  SecHandle acquired{};
  TimeStamp expiry{};
  const SECURITY_STATUS status = sspi().AcquireCredentialsHandleW(
      nullptr, name.data(), use == Use::initiate ? SECPKG_CRED_OUTBOUND : SECPKG_CRED_INBOUND, nullptr,
      state != nullptr ? identity.get() : nullptr, nullptr, nullptr, &acquired, &expiry);
  if (has_failed(status)) {
    reason = status_text(status);
    return handshake_errno(status);
  }
  credential.set(acquired);
  return 0;
}

Credentials::Credentials() noexcept = default;
Credentials::Credentials(const Credentials&) noexcept = default;
Credentials::Credentials(Credentials&&) noexcept = default;
Credentials& Credentials::operator=(const Credentials&) noexcept = default;
Credentials& Credentials::operator=(Credentials&&) noexcept = default;
Credentials::~Credentials() = default;
Credentials::Credentials(std::shared_ptr<CredentialsState> state) noexcept : state_(std::move(state)) {}

Credentials Credentials::from_ccache(std::string /*name*/, std::string principal) {
  return Credentials(std::make_shared<CredentialsState>(CredentialsState::Source::ccache,
                                                        std::move(principal), std::string_view()));
}
Credentials Credentials::from_keytab(std::string /*name*/, std::string principal) {
  return Credentials(std::make_shared<CredentialsState>(CredentialsState::Source::keytab,
                                                        std::move(principal), std::string_view()));
}
Credentials Credentials::with_password(std::string principal, std::string_view password) {
  return Credentials(
      std::make_shared<CredentialsState>(CredentialsState::Source::password, std::move(principal), password));
}

int Credentials::store(const std::string& /*ccache*/, std::string& reason) const {
  return CredentialsState::refuse_cache(reason);
}

}  // namespace tsock::inline v0::gssapi
