#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "gssapi/handles.hpp"
#include "gssapi/mechanism_oid.hpp"
#include "layer/wiped_bytes.hpp"

namespace tsock::gssapi {

/// Where credentials come from, and what was acquired.
class CredentialsState {
 public:
  enum class Source : std::uint8_t { ccache, keytab, password, delegated };
  enum class Use : std::uint8_t { initiate, accept };

  CredentialsState(Source source, std::string place, std::string principal, std::string_view password);
  explicit CredentialsState(GssCredential delegated);
  CredentialsState(const CredentialsState&) = delete;
  CredentialsState& operator=(const CredentialsState&) = delete;
  ~CredentialsState();

  /// Acquires them for a mechanism, or for any with an empty one; blocks. \return 0 or an errno value with
  /// the reason. Throws std::bad_alloc.
  int acquire(Use use, MechanismOid& mechanism, std::shared_ptr<GssCredential>& credential,
              std::string& reason);
  /// The same for what `state` may not be: the system's own.
  static int acquire(const std::shared_ptr<CredentialsState>& state, Use use, MechanismOid& mechanism,
                     std::shared_ptr<GssCredential>& credential, std::string& reason);
  int store(const std::string& ccache, std::string& reason);

 private:
  int acquire_anew(Use use, gss_OID mechanism, GssCredential& credential, std::string& reason);

  Source source_;
  std::string place_;
  std::string principal_;
  layer::WipedBytes password_;
  std::mutex mutex_;  // of what follows; a thread that asks the KDC has it, as the others need the answer
  std::shared_ptr<GssCredential> kept_;
  std::string kept_for_;
  std::string own_cache_;  // of tickets that a keytab has brought
  std::chrono::steady_clock::time_point kept_until_;
};

/// Imports a name: "service@host" or, with a slash or without an at sign, a principal. \return 0 or an errno
/// value with the reason.
int import_target(const std::string& text, GssName& name, std::string& reason);

}  // namespace tsock::gssapi
