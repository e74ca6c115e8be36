#include "npa/request.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tsock/address.hpp>
#include <utility>
#include <vector>

#include "npa/claims.hpp"
#include "npa/message.hpp"
#include "npa/ndr.hpp"

namespace tsock::inline v0::npa {

namespace {

using Text = AccountInfo::Text;

struct AccountText {
  Text AccountInfo::*member;
  std::string_view name;
};

// In the order in which they travel; a flag is behind the first two.
constexpr std::array<AccountText, 10> account_texts{
    {{&AccountInfo::account_name, "account_name"},
     {&AccountInfo::user_principal_name, "user_principal_name"},
     {&AccountInfo::domain_name, "domain_name"},
     {&AccountInfo::dns_domain_name, "dns_domain_name"},
     {&AccountInfo::full_name, "full_name"},
     {&AccountInfo::logon_script, "logon_script"},
     {&AccountInfo::profile_path, "profile_path"},
     {&AccountInfo::home_directory, "home_directory"},
     {&AccountInfo::home_drive, "home_drive"},
     {&AccountInfo::logon_server, "logon_server"}}};
constexpr std::size_t texts_before_flag = 2;

/// The text of an address, as the wire has it: without the port.
struct AddressText {
  Text text;
  std::uint16_t port = 0;
};

/// What is written, with the addresses as texts.
struct Request {
  const Identity& identity;
  Level level;
  AddressText remote;
  AddressText local;
};

void write_text(NdrWriter& writer, const Text& text) noexcept {
  if (text) writer.text(*text);
}

void write_sids(NdrWriter& writer, const std::vector<Sid>& sids) noexcept {
  writer.u32(static_cast<std::uint32_t>(sids.size()));
  for (const Sid& sid : sids) writer.sid(sid);
}

void write_token(NdrWriter& writer, const SecurityToken& token, Level level) noexcept {
  writer.align(8);
  writer.u32(static_cast<std::uint32_t>(token.sids.size()));
  write_sids(writer, token.sids);
  writer.u64(token.privileges);
  writer.u32(token.rights);
  if (level != Level::level8) return;
  for (const Claims::Kind kind : claim_kinds) writer.u32(token.claims.count(kind));
  writer.u32(static_cast<std::uint32_t>(token.device_sids.size()));
  // Claims point at what lies behind the token.
  const auto write_rest = [&token](NdrWriter& to, std::size_t end) {
    ClaimsCodec::write_entries(to, token.claims, end);
    write_sids(to, token.device_sids);
    to.u16(token.evaluate_claims);
  };
  NdrWriter counter = writer.counter();
  write_rest(counter, 0);
  write_rest(writer, counter.size());
  ClaimsCodec::write_data(writer, token.claims);
}

void write_unix_token(NdrWriter& writer, const UnixToken& token) noexcept {
  const auto count = static_cast<std::uint32_t>(token.groups.size());
  writer.u32(count);
  writer.u64(token.uid);
  writer.u64(token.gid);
  writer.u32(count);
  for (const std::uint64_t group : token.groups) writer.u64(group);
}

void write_account(NdrWriter& writer, const AccountInfo& account, Level level) noexcept {
  for (std::size_t i = 0; i < account_texts.size(); ++i) {
    if (i == texts_before_flag) writer.u8(account.is_principal_name_constructed ? 1 : 0);
    writer.pointer((account.*account_texts[i].member).has_value());
  }
  for (const NtTime time :
       {account.last_logon, account.last_logoff, account.account_expiry, account.last_password_change,
        account.allow_password_change, account.force_password_change})
    writer.time(time);
  writer.u16(account.logon_count);
  writer.u16(account.bad_password_count);
  writer.u32(account.flags);
  if (level == Level::level8)
    writer.u32(account.user_flags);
  else
    writer.u8(account.is_authenticated ? 1 : 0);
  for (const AccountText& text : account_texts) write_text(writer, account.*text.member);
}

void write_session(NdrWriter& writer, const Identity& identity, Level level) noexcept {
  writer.pointer(true);  // the token
  writer.pointer(identity.unix_token.has_value());
  writer.pointer(identity.account.has_value());
  writer.pointer(identity.unix_names.has_value());
  writer.pointer(false);
  writer.blob(identity.session_key.bytes());
  writer.pointer(false);
  writer.guid(identity.unique_session_token);
  writer.u16(static_cast<std::uint16_t>(identity.ticket_type));
  write_token(writer, identity.token, level);
  if (identity.unix_token) write_unix_token(writer, *identity.unix_token);
  if (identity.account) write_account(writer, *identity.account, level);
  if (identity.unix_names) {
    writer.pointer(identity.unix_names->unix_name.has_value());
    writer.pointer(identity.unix_names->sanitized_username.has_value());
    write_text(writer, identity.unix_names->unix_name);
    write_text(writer, identity.unix_names->sanitized_username);
  }
}

void write_request(NdrWriter& writer, std::size_t body_size, const Request& request) noexcept {
  const Identity& identity = request.identity;
  write_message_head(writer, body_size, static_cast<std::uint32_t>(request.level));
  writer.u8(static_cast<std::uint8_t>(identity.transport));
  writer.pointer(identity.remote_name.has_value());
  writer.pointer(request.remote.text.has_value());
  writer.u16(request.remote.port);
  writer.pointer(identity.local_name.has_value());
  writer.pointer(request.local.text.has_value());
  writer.u16(request.local.port);
  writer.pointer(true);  // what follows the texts
  for (const Text* text :
       {&identity.remote_name, &request.remote.text, &identity.local_name, &request.local.text})
    write_text(writer, *text);
  writer.pointer(true);  // the session
  writer.blob(identity.exported_gssapi_credentials.bytes());
  write_session(writer, identity, request.level);
}

bool address_text(const Address& address, AddressText& result) {
  if (address.is_empty()) return true;
  if (!address.is_inet()) return false;
  int err = 0;
  result.text = address.ip_string(err);
  result.port = address.port().value_or(0);
  return true;
}

/// What is wrong with an identity; empty if it can be sent.
std::string complaint(const Identity& identity) {
  if (identity.token.sids.empty()) return "security_token: an identity needs a SID";
  if (identity.token.sids.size() > most_sids) return "security_token: more than 65536 SIDs";
  if (identity.token.device_sids.size() > most_sids) return "device_sids: more than 65536 SIDs";
  if (identity.unix_token && identity.unix_token->groups.size() > most_groups)
    return "unix_token: more than 65536 groups";
  const auto is_good = [](const Text& text) { return !text || is_ndr_text(*text); };
  constexpr std::string_view not_text = ": not UTF-8, or with a NUL inside";
  if (!is_good(identity.remote_name)) return "remote_client_name" + std::string(not_text);
  if (!is_good(identity.local_name)) return "local_server_name" + std::string(not_text);
  if (identity.account)
    for (const AccountText& text : account_texts)
      if (!is_good((*identity.account).*text.member)) return std::string(text.name) + std::string(not_text);
  if (identity.unix_names && !is_good(identity.unix_names->unix_name))
    return "unix_name" + std::string(not_text);
  if (identity.unix_names && !is_good(identity.unix_names->sanitized_username))
    return "sanitized_username" + std::string(not_text);
  return {};
}

Text read_text(NdrReader& reader, bool is_set, std::string_view field) {
  if (!is_set) return std::nullopt;
  return reader.text(field);
}

Address read_address(NdrReader& reader, const Text& text, std::uint16_t port, std::string_view field) {
  if (!text) {
    if (port != 0) reader.fail(field, "a port without an address");
    return {};
  }
  int err = 0;
  Address address = Address::inet_from_strings("ip", std::string_view(*text), port, err);
  if (err != 0) reader.fail(field, "not an IP address");
  return address;
}

void read_sids(NdrReader& reader, std::vector<Sid>& sids, std::uint32_t announced, std::string_view field) {
  constexpr std::size_t smallest_sid = 8;
  const std::uint32_t count = reader.count(smallest_sid, most_sids, field);
  if (count != announced) reader.fail(field, "the counts differ");
  if (reader.failed()) return;
  sids.reserve(count);
  for (std::uint32_t i = 0; i < count && !reader.failed(); ++i) sids.push_back(reader.sid(field));
}

void read_token(NdrReader& reader, SecurityToken& token, Level level) {
  reader.align(8, "security_token");
  const std::uint32_t sids = reader.u32("num_sids");
  read_sids(reader, token.sids, sids, "sids");
  if (token.sids.empty()) reader.fail("security_token", "an identity needs a SID");
  token.privileges = reader.u64("privilege_mask");
  token.rights = reader.u32("rights_mask");
  if (level != Level::level8) return;
  const std::array counts{reader.u32("num_local_claims"), reader.u32("num_user_claims"),
                          reader.u32("num_device_claims")};
  const std::uint32_t device_sids = reader.u32("num_device_sids");
  ClaimsCodec::read_entries(reader, token.claims, counts);
  read_sids(reader, token.device_sids, device_sids, "device_sids");
  token.evaluate_claims = reader.u16("evaluate_claims");
  ClaimsCodec::read_data(reader, token.claims);
}

UnixToken read_unix_token(NdrReader& reader) {
  UnixToken token;
  const std::uint32_t announced = reader.u32("ngroups");
  token.uid = reader.u64("uid");
  token.gid = reader.u64("gid");
  const std::uint32_t count = reader.count(sizeof(std::uint64_t), most_groups, "ngroups");
  if (count != announced) reader.fail("ngroups", "the counts differ");
  if (reader.failed()) return token;
  token.groups.reserve(count);
  for (std::uint32_t i = 0; i < count && !reader.failed(); ++i) token.groups.push_back(reader.u64("groups"));
  return token;
}

AccountInfo read_account(NdrReader& reader, Level level) {
  AccountInfo account;
  std::array<bool, account_texts.size()> is_set{};
  for (std::size_t i = 0; i < account_texts.size(); ++i) {
    if (i == texts_before_flag)
      account.is_principal_name_constructed = reader.boolean("user_principal_constructed");
    is_set[i] = reader.pointer(account_texts[i].name);
  }
  account.last_logon = reader.time("last_logon");
  account.last_logoff = reader.time("last_logoff");
  account.account_expiry = reader.time("acct_expiry");
  account.last_password_change = reader.time("last_password_change");
  account.allow_password_change = reader.time("allow_password_change");
  account.force_password_change = reader.time("force_password_change");
  account.logon_count = reader.u16("logon_count");
  account.bad_password_count = reader.u16("bad_password_count");
  account.flags = reader.u32("acct_flags");
  if (level == Level::level8)
    account.user_flags = reader.u32("user_flags");
  else
    account.is_authenticated = reader.boolean("authenticated");
  for (std::size_t i = 0; i < account_texts.size(); ++i)
    account.*account_texts[i].member = read_text(reader, is_set[i], account_texts[i].name);
  return account;
}

UnixNames read_unix_names(NdrReader& reader) {
  UnixNames names;
  const bool has_unix_name = reader.pointer("unix_name");
  const bool has_sanitized_username = reader.pointer("sanitized_username");
  names.unix_name = read_text(reader, has_unix_name, "unix_name");
  names.sanitized_username = read_text(reader, has_sanitized_username, "sanitized_username");
  return names;
}

void read_session(NdrReader& reader, Identity& identity, Level level) {
  const bool has_token = reader.pointer("security_token");
  const bool has_unix_token = reader.pointer("unix_token");
  const bool has_account = reader.pointer("info");
  const bool has_unix_names = reader.pointer("unix_info");
  reader.null("torture");
  identity.session_key = reader.blob("session_key");
  reader.null("credentials");
  identity.unique_session_token = reader.guid("unique_session_token");
  identity.ticket_type = static_cast<TicketType>(reader.u16("ticket_type"));
  if (!has_token) reader.fail("security_token", "missing");
  read_token(reader, identity.token, level);
  if (has_unix_token) identity.unix_token = read_unix_token(reader);
  if (has_account) identity.account = read_account(reader, level);
  if (has_unix_names) identity.unix_names = read_unix_names(reader);
}

void read_request(NdrReader& reader, Identity& identity, Level level) {
  identity.transport = static_cast<Transport>(reader.u8("transport"));
  const bool has_remote_name = reader.pointer("remote_client_name");
  const bool has_remote_address = reader.pointer("remote_client_addr");
  const std::uint16_t remote_port = reader.u16("remote_client_port");
  const bool has_local_name = reader.pointer("local_server_name");
  const bool has_local_address = reader.pointer("local_server_addr");
  const std::uint16_t local_port = reader.u16("local_server_port");
  if (!reader.pointer("session_info")) reader.fail("session_info", "missing");
  identity.remote_name = read_text(reader, has_remote_name, "remote_client_name");
  const Text remote = read_text(reader, has_remote_address, "remote_client_addr");
  identity.local_name = read_text(reader, has_local_name, "local_server_name");
  const Text local = read_text(reader, has_local_address, "local_server_addr");
  identity.remote_address = read_address(reader, remote, remote_port, "remote_client_addr");
  identity.local_address = read_address(reader, local, local_port, "local_server_addr");
  if (!reader.pointer("session_info")) reader.fail("session_info", "missing");
  identity.exported_gssapi_credentials = reader.blob("exported_gssapi_credentials");
  read_session(reader, identity, level);
  reader.end();
}

}  // namespace

int encode_request(const Identity& identity, Level level, SecretBytes& message, std::string& reason) noexcept
    try {
  message.clear();
  reason = complaint(identity);
  if (!reason.empty()) return EINVAL;
  Request request{.identity = identity, .level = level, .remote = {}, .local = {}};
  if (!address_text(identity.remote_address, request.remote)) {
    reason = "remote_client_addr: not an IP address";
    return EINVAL;
  }
  if (!address_text(identity.local_address, request.local)) {
    reason = "local_server_addr: not an IP address";
    return EINVAL;
  }
  NdrWriter counter;
  write_request(counter, 0, request);
  const std::size_t body_size = counter.size() - message_length_size;
  if (body_size > longest_message) {
    reason = "the request is longer than 16777215 bytes";
    return EMSGSIZE;
  }
  NdrWriter writer(message.reset(counter.size()));
  write_request(writer, body_size, request);
  return 0;
} catch (...) {
  return ENOMEM;
}

int decode_request(std::span<const std::byte> body, std::optional<Level> only, Identity& identity,
                   Level& level, std::string& reason) noexcept try {
  NdrReader reader(body, message_length_size);
  std::uint32_t number = 0;
  int err = read_message_head(reader, number);
  const auto found = static_cast<Level>(number);
  if (err == 0 && only && found != *only) {
    reader.fail("level", number == 8 ? "8, where only 7 is accepted" : "7, where only 8 is accepted");
    err = EPROTONOSUPPORT;
  }
  Identity read;
  read_request(reader, read, found);
  if (reader.failed()) {
    reason = reader.reason();
    if (err == 0) err = ClaimsCodec::is_unsupported(reader.what()) ? ENOTSUP : EPROTO;
    return err;
  }
  identity = std::move(read);
  level = found;
  return 0;
} catch (...) {
  return ENOMEM;
}

}  // namespace tsock::inline v0::npa
