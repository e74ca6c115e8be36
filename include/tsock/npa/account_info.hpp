#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tsock/npa/nt_time.hpp>

namespace tsock::inline v0::npa {

/// What a domain knows of an account (auth_user_info). Texts are UTF-8 without NUL; one may be missing, which
/// is not the same as empty.
struct AccountInfo {
  using Text = std::optional<std::string>;
  /// `flags` of an ordinary user (ACB_NORMAL).
  static constexpr std::uint32_t normal_account = 0x10;

  Text account_name{};
  Text user_principal_name{};
  bool is_principal_name_constructed = false;  ///< it was made from the account's name
  Text domain_name{};
  Text dns_domain_name{};
  Text full_name{};
  Text logon_script{};
  Text profile_path{};
  Text home_directory{};
  Text home_drive{};
  Text logon_server{};
  NtTime last_logon{};
  NtTime last_logoff{};
  NtTime account_expiry{};
  NtTime last_password_change{};
  NtTime allow_password_change{};
  NtTime force_password_change{};
  std::uint16_t logon_count = 0;
  std::uint16_t bad_password_count = 0;
  std::uint32_t flags = 0;        ///< ACB_*: what sort of account it is
  bool is_authenticated = false;  ///< level 7 only: not anonymous and not a guest
  std::uint32_t user_flags = 0;   ///< level 8 only: NETLOGON_*, such as 1 for a guest

  friend bool operator==(const AccountInfo&, const AccountInfo&) = default;
};

}  // namespace tsock::inline v0::npa
