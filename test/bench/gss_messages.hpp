#pragma once

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <utility>

namespace bench {

/// Bytes of a message on the wire, without the four of its length: what tsock::gssapi takes, too.
inline constexpr std::size_t most_gss_message = std::size_t{64} * 1024;
inline constexpr std::size_t most_gss_token = std::size_t{1} << 20;

inline void write_gss_length(std::byte* to, std::size_t size) {
  for (unsigned b = 0; b < 4; ++b) to[b] = static_cast<std::byte>(size >> (24U - 8U * b));
}

[[noreturn]] inline void fail_gss(const char* what, OM_uint32 major, OM_uint32 minor) {
  for (const auto& [code, type] : {std::pair{major, GSS_C_GSS_CODE}, std::pair{minor, GSS_C_MECH_CODE}}) {
    OM_uint32 ignored = 0;
    OM_uint32 more = 0;
    gss_buffer_desc text{};
    gss_display_status(&ignored, code, type, GSS_C_NO_OID, &more, &text);
    std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(text.length),
                 static_cast<const char*>(text.value));
    gss_release_buffer(&ignored, &text);
  }
  std::exit(1);
}

/// The calls of an established context, each message made and opened in place.
struct GssMessages {
  gss_ctx_id_t context = GSS_C_NO_CONTEXT;
  bool seals = true;

  static gss_iov_buffer_desc part(OM_uint32 type, std::byte* bytes, std::size_t size) {
    return {type, {size, bytes}};
  }

  /// What stands in front of the user's bytes in a message.
  [[nodiscard]] std::size_t header_size() const { return sizes(1)[0].buffer.length; }

  /// \return the user's bytes, inside of the message
  [[nodiscard]] std::span<std::byte> unwrap(std::span<std::byte> message) const {
    std::array iov{part(GSS_IOV_BUFFER_TYPE_STREAM, message.data(), message.size()),
                   part(GSS_IOV_BUFFER_TYPE_DATA, nullptr, 0)};
    OM_uint32 minor = 0;
    int sealed = 0;
    const OM_uint32 major = gss_unwrap_iov(&minor, context, &sealed, nullptr, iov.data(), 2);
    if (major != GSS_S_COMPLETE || (seals && sealed == 0)) fail_gss("gss_unwrap_iov", major, minor);
    return {static_cast<std::byte*>(iov[1].buffer.value), iov[1].buffer.length};
  }

  /// Makes a message around `size` bytes at `plain`, in front of which there is room for the length and
  /// `header_size()`. \return what stands before and behind them, with the length
  std::size_t wrap(std::byte* plain, std::size_t size) const {
    auto iov = sizes(size);
    const std::size_t header = iov[0].buffer.length;
    iov[0].buffer.value = plain - header;
    iov[1].buffer.value = plain;
    iov[2].buffer.value = plain + size;
    iov[3].buffer.value = plain + size + iov[2].buffer.length;
    const std::size_t around = header + iov[2].buffer.length + iov[3].buffer.length;
    OM_uint32 minor = 0;
    const OM_uint32 major =
        gss_wrap_iov(&minor, context, seals ? 1 : 0, GSS_C_QOP_DEFAULT, nullptr, iov.data(), 4);
    if (major != GSS_S_COMPLETE) fail_gss("gss_wrap_iov", major, minor);
    write_gss_length(plain - header - 4, size + around);
    return around + 4;
  }

 private:
  [[nodiscard]] std::array<gss_iov_buffer_desc, 4> sizes(std::size_t size) const {
    std::array iov{
        part(GSS_IOV_BUFFER_TYPE_HEADER, nullptr, 0), part(GSS_IOV_BUFFER_TYPE_DATA, nullptr, size),
        part(GSS_IOV_BUFFER_TYPE_PADDING, nullptr, 0), part(GSS_IOV_BUFFER_TYPE_TRAILER, nullptr, 0)};
    OM_uint32 minor = 0;
    const OM_uint32 major =
        gss_wrap_iov_length(&minor, context, seals ? 1 : 0, GSS_C_QOP_DEFAULT, nullptr, iov.data(), 4);
    if (major != GSS_S_COMPLETE) fail_gss("gss_wrap_iov_length", major, minor);
    return iov;
  }
};

}  // namespace bench
