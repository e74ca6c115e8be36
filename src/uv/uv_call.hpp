#pragma once

#include <uv.h>

#include <cstddef>
#include <tsock/native_socket.hpp>

namespace tsock::inline v0::detail {

/// Converts the return value of a libuv function to an errno value: 0 for a success or a count. Codes without
/// an errno value (UV_EOF, those of uv_getaddrinfo, those that this system has no errno for) become EIO. To
/// be used wherever a status leaves the call that gave it: on Windows the codes are numbers of libuv's own.
[[nodiscard]] int errno_of(std::ptrdiff_t status) noexcept;

/// The socket (on POSIX, a descriptor of any kind) of a libuv handle; `invalid_socket` when it has none.
[[nodiscard]] NativeSocket socket_of(const uv_handle_t* handle) noexcept;

}  // namespace tsock::inline v0::detail
