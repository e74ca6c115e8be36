#include "gssapi/sspi/wide_text.hpp"

#include <windows.h>

namespace tsock::inline v0::gssapi {

bool widen(std::string_view text, std::wstring& wide) {
  wide.clear();
  if (text.empty()) return true;
  const int size = static_cast<int>(text.size());
  const int count = ::MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(), size, nullptr, 0);
  if (count <= 0) return false;
  wide.resize(static_cast<std::size_t>(count));
  ::MultiByteToWideChar(CP_UTF8, 0, text.data(), size, wide.data(), count);
  return true;
}

std::string narrow(const wchar_t* wide) {
  if (wide == nullptr || *wide == L'\0') return {};
  const int count = ::WideCharToMultiByte(CP_UTF8, 0, wide, -1, nullptr, 0, nullptr, nullptr);
  if (count <= 1) return {};
  std::string text(static_cast<std::size_t>(count), '\0');
  ::WideCharToMultiByte(CP_UTF8, 0, wide, -1, text.data(), count, nullptr, nullptr);
  text.pop_back();  // the NUL
  return text;
}

}  // namespace tsock::inline v0::gssapi
