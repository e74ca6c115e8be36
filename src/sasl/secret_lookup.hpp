#pragma once

namespace tsock::inline v0::sasl {

/// Registers where the passwords of `ServerOptions::password_of` come from, as a lookup of the name
/// `secret_lookup_name`. For connections of others it knows no user. \return a result of libsasl2
int add_secret_lookup() noexcept;
inline constexpr const char* secret_lookup_name = "tsock";

/// The id of the entry in a connection's list of callbacks whose context is the ServerState; libsasl2 knows
/// no such callback.
inline constexpr unsigned long server_state_id = 0x7473'6f63UL;

}  // namespace tsock::inline v0::sasl
