#pragma once

#include <system_error>
#include <tsock/export.hpp>

namespace tsock::inline v0::tls {

/// The category of errno values of requests and streams of TLS: as `tsock::error_category()`, with the words
/// for what they mean there. `tsock::errno_of()` is the way back. Why a request has failed in detail says
/// `Request::reason()`.
[[nodiscard]] TSOCK_EXPORT const std::error_category& error_category() noexcept;

/// An errno value, as `recv()` of such a request gives it, as a std::error_code; 0 is no error.
[[nodiscard]] inline std::error_code error_code(int err) noexcept { return {err, error_category()}; }

}  // namespace tsock::inline v0::tls
