#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "gssapi/mit/handles.hpp"
#include "gssapi/mit/mechanism_oid.hpp"
#include "layer/wiped_bytes.hpp"

namespace tsock::inline v0::gssapi {

/// Where credentials come from, and what was acquired.
class CredentialsState : public std::enable_shared_from_this<CredentialsState> {
 public:
  enum class Source : std::uint8_t { ccache, keytab, password, delegated };
  enum class Use : std::uint8_t { initiate, accept };

  CredentialsState(Source source, std::string place, std::string principal, std::string_view password);
  explicit CredentialsState(GssCredential delegated);
  CredentialsState(const CredentialsState&) = delete;
  CredentialsState& operator=(const CredentialsState&) = delete;
  ~CredentialsState() = default;

  /// Acquires them for a mechanism, or for any with an empty one; blocks. \return 0 or an errno value with
  /// the reason. Throws std::bad_alloc.
  int acquire(Use use, MechanismOid& mechanism, std::shared_ptr<GssCredential>& credential,
              std::string& reason);
  /// The same for what `state` may not be: the system's own.
  static int acquire(const std::shared_ptr<CredentialsState>& state, Use use, MechanismOid& mechanism,
                     std::shared_ptr<GssCredential>& credential, std::string& reason);
  int store(const std::string& ccache, std::string& reason);
  /// Threads that wait for the answer to what another one has asked.
  [[nodiscard]] unsigned waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  struct Acquisition;

  int acquire_anew(Use use, gss_OID mechanism, const std::string& cache, GssCredential& credential,
                   std::string& reason) const;
  int acquire_once(Use use, gss_OID mechanism, Acquisition& once) const;
  std::shared_ptr<Acquisition> acquire_for_all(Use use, MechanismOid& mechanism);

  Source source_;
  std::string place_;
  std::string principal_;
  layer::WipedBytes password_;  // and a NUL
  GssCredential delegated_;
  std::mutex mutex_;  // of what follows; nobody asks a KDC or reads a file under it
  std::condition_variable is_acquired_;
  unsigned waiting_ = 0;
  std::map<std::string, std::shared_ptr<Acquisition>>
      acquisitions_;  // the last one of each use and mechanism
};

/// Imports a name: "service@host" or, with a slash or without an at sign, a principal. \return 0 or an errno
/// value with the reason.
int import_target(const std::string& text, GssName& name, std::string& reason);

}  // namespace tsock::inline v0::gssapi
