#include "gssapi/sspi/package.hpp"

#include <array>

#include "gssapi/sspi/wide_text.hpp"

namespace tsock::inline v0::gssapi {

namespace {

// The last one takes what any of the others says.
constexpr std::array packages{
    Package{"kerberos", "1.2.840.113554.1.2.2", L"Kerberos"},
    Package{"ntlm", "1.3.6.1.4.1.311.2.2.10", L"NTLM"},
    Package{"spnego", "1.3.6.1.5.5.2", L"Negotiate"},
};

}  // namespace

const Package* find_package(std::string_view mechanism) noexcept {
  if (mechanism.empty()) return &packages.back();
  for (const Package& package : packages) {
    if (mechanism == package.mechanism || mechanism == package.oid) return &package;
  }
  return nullptr;
}

std::string mechanism_of(const wchar_t* name) {
  for (const Package& package : packages) {
    if (std::wstring_view(name) == package.name) return std::string(package.mechanism);
  }
  return narrow(name);
}

}  // namespace tsock::inline v0::gssapi
