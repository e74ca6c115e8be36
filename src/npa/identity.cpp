#include <algorithm>
#include <array>
#include <cstdio>
#include <tsock/npa/identity.hpp>

namespace tsock::inline v0::npa {

namespace {

constexpr std::uint32_t nobody = 65534;

std::optional<std::string> text_of(const Address& address) {
  int err = 0;
  std::string text = address.ip_string(err);
  if (err != 0) return std::nullopt;
  return text;
}

Identity between(const Address& remote, const Address& local) {
  Identity identity;
  identity.remote_name = text_of(remote);
  identity.remote_address = remote;
  identity.local_name = text_of(local);
  identity.local_address = local;
  return identity;
}

// Names come from the peer, and go to logs and terminals.
void append_printable(std::string& text, std::string_view from) {
  for (const char c : from) {
    if (c > ' ' && c < '\x7f' && c != '\\') {
      text += c;
      continue;
    }
    std::array<char, 8> escaped{};
    static_cast<void>(
        std::snprintf(escaped.data(), escaped.size(), "\\x%02X", static_cast<unsigned char>(c)));
    text += escaped.data();
  }
}

}  // namespace

bool SecurityToken::has(const Sid& sid) const noexcept { return std::ranges::find(sids, sid) != sids.end(); }

std::vector<Sid> SecurityToken::identities() const {
  std::vector<Sid> result = sids;
  std::erase_if(result, [](const Sid& sid) { return sid.is_samba_note(); });
  return result;
}

Identity Identity::anonymous(const Address& remote, const Address& local) {
  Identity identity = between(remote, local);
  identity.token.sids = {Sid::anonymous(), Sid::everyone(), Sid::network()};
  identity.unix_token = UnixToken{.uid = nobody, .gid = nobody, .groups = {nobody}};
  AccountInfo account;
  account.account_name = "ANONYMOUS LOGON";
  account.domain_name = "NT AUTHORITY";
  account.full_name = "Anonymous Logon";
  account.flags = AccountInfo::normal_account;
  identity.account = std::move(account);
  identity.unix_names = UnixNames{.unix_name = "nobody", .sanitized_username = ""};
  return identity;
}

Identity Identity::user(const Sid& sid, std::string_view domain, std::string_view name,
                        const UnixToken& unix_token, const Address& remote, const Address& local) {
  Identity identity = between(remote, local);
  std::vector<Sid>& sids = identity.token.sids;
  sids = {sid, Sid::everyone(), Sid::network(), Sid::authenticated_users()};
  sids.push_back(Sid::unix_user(static_cast<std::uint32_t>(unix_token.uid)));
  sids.push_back(Sid::unix_group(static_cast<std::uint32_t>(unix_token.gid)));
  for (const std::uint64_t group : unix_token.groups)
    if (group != unix_token.gid) sids.push_back(Sid::unix_group(static_cast<std::uint32_t>(group)));
  identity.unix_token = unix_token;
  AccountInfo account;
  account.account_name = name;
  account.domain_name = domain;
  account.last_logoff = NtTime::never();
  account.account_expiry = NtTime::never();
  account.force_password_change = NtTime::never();
  account.flags = AccountInfo::normal_account;
  account.is_authenticated = true;
  identity.account = std::move(account);
  identity.unix_names = UnixNames{.unix_name = std::string(name), .sanitized_username = std::string(name)};
  return identity;
}

bool Identity::is_anonymous() const noexcept {
  return !token.sids.empty() && token.sids.front() == Sid::anonymous();
}

bool Identity::is_authenticated() const noexcept {
  return token.has(Sid::authenticated_users()) || token.has(Sid::system());
}

std::string Identity::to_string() const {
  std::string text;
  if (account && account->account_name) {
    if (account->domain_name) {
      append_printable(text, *account->domain_name);
      text += '\\';
    }
    append_printable(text, *account->account_name);
    text += ' ';
  }
  text += token.sids.empty() ? "no SID" : token.sids.front().to_string();
  if (unix_token) text += " uid " + std::to_string(unix_token->uid);
  if (!remote_address.is_empty()) text += " from " + remote_address.to_string();
  return text;
}

}  // namespace tsock::inline v0::npa
