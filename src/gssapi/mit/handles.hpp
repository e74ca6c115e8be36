#pragma once

#include <gssapi/gssapi.h>

#include <cstddef>
#include <span>
#include <utility>

#include "layer/wiped_bytes.hpp"

namespace tsock::inline v0::gssapi {

/// Owns a handle of GSSAPI.
template <class Handle, OM_uint32 (*Release)(Handle&)>
class OwnedHandle {
 public:
  OwnedHandle() noexcept = default;
  explicit OwnedHandle(Handle handle) noexcept : handle_(handle) {}
  OwnedHandle(OwnedHandle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  OwnedHandle& operator=(OwnedHandle&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  OwnedHandle(const OwnedHandle&) = delete;
  OwnedHandle& operator=(const OwnedHandle&) = delete;
  ~OwnedHandle() { reset(); }

  [[nodiscard]] Handle get() const noexcept { return handle_; }
  /// Where a call of GSSAPI reads and writes it.
  [[nodiscard]] Handle* place() noexcept { return &handle_; }
  explicit operator bool() const noexcept { return handle_ != nullptr; }
  void reset() noexcept {
    if (handle_ != nullptr) Release(handle_);
    handle_ = nullptr;
  }

 private:
  Handle handle_ = nullptr;
};

inline OM_uint32 release_name(gss_name_t& name) noexcept {
  OM_uint32 minor = 0;
  return gss_release_name(&minor, &name);
}
inline OM_uint32 release_credential(gss_cred_id_t& credential) noexcept {
  OM_uint32 minor = 0;
  return gss_release_cred(&minor, &credential);
}
inline OM_uint32 release_context(gss_ctx_id_t& context) noexcept {
  OM_uint32 minor = 0;
  return gss_delete_sec_context(&minor, &context, GSS_C_NO_BUFFER);
}

using GssName = OwnedHandle<gss_name_t, release_name>;
using GssCredential = OwnedHandle<gss_cred_id_t, release_credential>;
using GssContext = OwnedHandle<gss_ctx_id_t, release_context>;

/// Bytes that GSSAPI has allocated; wiped when they go.
class GssBuffer {
 public:
  GssBuffer() noexcept = default;
  GssBuffer(const GssBuffer&) = delete;
  GssBuffer& operator=(const GssBuffer&) = delete;
  ~GssBuffer() {
    layer::wipe(bytes());
    OM_uint32 minor = 0;
    gss_release_buffer(&minor, &buffer_);
  }
  [[nodiscard]] gss_buffer_t place() noexcept { return &buffer_; }
  [[nodiscard]] std::span<std::byte> bytes() const noexcept {
    return {static_cast<std::byte*>(buffer_.value), buffer_.value != nullptr ? buffer_.length : 0};
  }

 private:
  gss_buffer_desc buffer_ = GSS_C_EMPTY_BUFFER;
};

/// The caller's bytes as GSSAPI takes them; it does not change them.
inline gss_buffer_desc buffer_of(std::span<const std::byte> bytes) noexcept {
  return {bytes.size(),
          const_cast<std::byte*>(bytes.data())};  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

}  // namespace tsock::inline v0::gssapi
