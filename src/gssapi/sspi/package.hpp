#pragma once

#include <string>
#include <string_view>

namespace tsock::inline v0::gssapi {

/// A mechanism as tsock and as SSPI call it.
struct Package {
  std::string_view mechanism;  ///< "kerberos"
  std::string_view oid;
  const wchar_t* name;  ///< L"Kerberos"
};

/// The package of a mechanism by its name or OID, or with an empty one that of any; null if SSPI has none.
[[nodiscard]] const Package* find_package(std::string_view mechanism) noexcept;

/// What a package is called here: the mechanism, or its own name where tsock has none. Throws std::bad_alloc.
[[nodiscard]] std::string mechanism_of(const wchar_t* name);

}  // namespace tsock::inline v0::gssapi
