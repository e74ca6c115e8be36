#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "gssapi/sspi/handles.hpp"
#include "layer/wiped_bytes.hpp"

namespace tsock::inline v0::gssapi {

/// Where credentials come from. SSPI keeps what it has asked a KDC for itself.
class CredentialsState {
 public:
  enum class Source : std::uint8_t { ccache, keytab, password };
  enum class Use : std::uint8_t { initiate, accept };

  CredentialsState(Source source, std::string principal, std::string_view password);

  /// Acquires them for a package, or the system's own where `state` is null; blocks. \return 0 or an errno
  /// value with the reason. Throws std::bad_alloc.
  static int acquire(const std::shared_ptr<CredentialsState>& state, Use use, const wchar_t* package,
                     SspiCredential& credential, std::string& reason);
  /// Says why there are no caches.
  static int refuse_cache(std::string& reason);

 private:
  Source source_;
  std::string principal_;
  layer::WipedBytes password_;  // UTF-8
};

}  // namespace tsock::inline v0::gssapi
