#pragma once

#include <gssapi/gssapi.h>

#include <string>
#include <string_view>
#include <vector>

namespace tsock::inline v0::gssapi {

/// The OID of a mechanism.
class MechanismOid {
 public:
  MechanismOid() noexcept = default;
  /// "kerberos", "spnego", "ntlm" or numbers with dots. \return false for anything else. Throws
  /// std::bad_alloc.
  bool parse(std::string_view text);
  [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
  /// None of an empty one. Valid while this lives and does not change.
  [[nodiscard]] gss_OID get() noexcept;
  [[nodiscard]] bool operator==(gss_OID other) const noexcept;

  /// In the words that `parse()` takes. Throws std::bad_alloc.
  [[nodiscard]] static std::string text_of(gss_OID oid);

 private:
  std::vector<unsigned char> bytes_;
  gss_OID_desc oid_{};
};

}  // namespace tsock::inline v0::gssapi
