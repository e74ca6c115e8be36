#pragma once

#include <string>
#include <string_view>
#include <tsock/export.hpp>

namespace tsock::inline v0 {

/// The name of an errno value: "ECONNRESET", "OK" for 0, "E<number>" for a number without a name.
///
/// The text is static and always valid. Of two names for one number the more usual one is returned (EAGAIN,
/// EOPNOTSUPP). A number that no system uses, negative or above 4095, gives "E?".
[[nodiscard]] TSOCK_EXPORT std::string_view error_name(int err) noexcept;

/// Name and meaning for a log line: "ECONNRESET: connection reset by peer", "OK" for 0.
///
/// The errors that tsock itself gives have wording of their own, the same on every system and in every
/// locale; the others have the system's. May be called from any thread.
[[nodiscard]] TSOCK_EXPORT std::string error_text(int err);

}  // namespace tsock::inline v0
