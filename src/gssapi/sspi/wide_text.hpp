#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace tsock::inline v0::gssapi {

/// Text as SSPI takes it, out of UTF-8. \return false for what is none. Throws std::bad_alloc.
[[nodiscard]] bool widen(std::string_view text, std::wstring& wide);
/// Text as SSPI gives it, in UTF-8; empty for a null pointer. Throws std::bad_alloc.
[[nodiscard]] std::string narrow(const wchar_t* wide);

}  // namespace tsock::inline v0::gssapi
