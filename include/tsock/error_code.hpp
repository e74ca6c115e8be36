#pragma once

#include <system_error>
#include <tsock/export.hpp>

namespace tsock::inline v0 {

/// The category of tsock's errno values: its messages are those of `error_text()`, the same in every locale.
/// A code of it equals the std::errc of the same number: `error_code(err) == std::errc::connection_refused`.
[[nodiscard]] TSOCK_EXPORT const std::error_category& error_category() noexcept;

/// An errno value, as `recv()` gives it, as a std::error_code; 0 is no error.
[[nodiscard]] inline std::error_code error_code(int err) noexcept { return {err, error_category()}; }

/// The other way: the errno value of a code of tsock, of the system or of the standard library; EIO for an
/// error that has none.
[[nodiscard]] TSOCK_EXPORT int errno_of(const std::error_code& code) noexcept;

}  // namespace tsock::inline v0
