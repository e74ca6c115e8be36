#pragma once

// The order matters: the second header needs the first.
#define SECURITY_WIN32
#include <windows.h>
//
#include <security.h>

namespace tsock::inline v0::gssapi {

/// The calls of SSPI.
[[nodiscard]] inline const SecurityFunctionTableW& sspi() noexcept {
  static const SecurityFunctionTableW* const table = ::InitSecurityInterfaceW();
  return *table;
}

/// Whether a call has failed: what is not SEC_E_OK may be news beside a success.
[[nodiscard]] constexpr bool has_failed(SECURITY_STATUS status) noexcept { return status < 0; }

}  // namespace tsock::inline v0::gssapi
