#pragma once

#include <cstdint>

namespace tsock::inline v0 {

#if defined(_WIN32)
/// A socket as the system knows it; Windows has a type of its own (SOCKET).
using NativeSocket = std::uintptr_t;
#else
/// A socket as the system knows it; on POSIX a file descriptor.
using NativeSocket = int;
#endif

/// No socket: -1, converted.
inline constexpr NativeSocket invalid_socket = static_cast<NativeSocket>(-1);

}  // namespace tsock::inline v0
