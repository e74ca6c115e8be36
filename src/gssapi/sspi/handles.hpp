#pragma once

#include <utility>

#include "gssapi/sspi/sspi.hpp"

namespace tsock::inline v0::gssapi {

/// Owns a handle of SSPI, of credentials or of a context.
template <SECURITY_STATUS (*Release)(SecHandle&)>
class OwnedHandle {
 public:
  OwnedHandle() noexcept { SecInvalidateHandle(&handle_); }
  OwnedHandle(OwnedHandle&& other) noexcept : OwnedHandle() { std::swap(handle_, other.handle_); }
  OwnedHandle& operator=(OwnedHandle&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  OwnedHandle(const OwnedHandle&) = delete;
  OwnedHandle& operator=(const OwnedHandle&) = delete;
  ~OwnedHandle() { reset(); }

  explicit operator bool() const noexcept { return SecIsValidHandle(&handle_); }
  /// For calls of SSPI, none of which takes it as const; they do not change it.
  [[nodiscard]] SecHandle* get() const noexcept { return &handle_; }
  /// Takes a handle in the place of none, or of the one that it has, where SSPI gives that again.
  void set(const SecHandle& handle) noexcept { handle_ = handle; }
  void reset() noexcept {
    if (*this) Release(handle_);
    SecInvalidateHandle(&handle_);
  }

 private:
  mutable SecHandle handle_{};
};

inline SECURITY_STATUS release_credential(SecHandle& handle) noexcept {
  return sspi().FreeCredentialsHandle(&handle);
}
inline SECURITY_STATUS release_context(SecHandle& handle) noexcept {
  return sspi().DeleteSecurityContext(&handle);
}

using SspiCredential = OwnedHandle<release_credential>;
using SspiHandle = OwnedHandle<release_context>;

/// What SSPI has allocated.
template <class Type>
class SspiMemory {
 public:
  explicit SspiMemory(Type* place) noexcept : place_(place) {}
  SspiMemory(const SspiMemory&) = delete;
  SspiMemory& operator=(const SspiMemory&) = delete;
  ~SspiMemory() {
    if (place_ != nullptr) sspi().FreeContextBuffer(place_);
  }
  [[nodiscard]] Type* get() const noexcept { return place_; }

 private:
  Type* place_;
};

}  // namespace tsock::inline v0::gssapi
