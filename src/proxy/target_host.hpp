#pragma once

#include <string>
#include <tsock/address.hpp>
#include <tsock/proxy/target.hpp>

namespace tsock::inline v0::proxy {

/// Why a proxy cannot be asked for the target; null when it can.
[[nodiscard]] const char* fault_of(const Target& target) noexcept;

/// The host as an address; empty for a name.
[[nodiscard]] Address numeric_host(const Target& target);

/// "host:port", as HTTP has it.
[[nodiscard]] std::string authority_of(const Target& target);

}  // namespace tsock::inline v0::proxy
