#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <tsock/buffer.hpp>
#include <tsock/native_socket.hpp>

#include "tls/traffic_keys.hpp"

namespace tsock::inline v0::tls {

// What kernels offer, for each system in a file of its own.

/// Has the kernel wrap what is written to a socket from now on. \return 0, or an errno value, with the socket
/// as it was: EOPNOTSUPP, ENOENT or ENOPROTOOPT where kernel or socket offer nothing of the kind
[[nodiscard]] int give_keys_to_kernel(NativeSocket socket, const TrafficKeys& keys) noexcept;

/// Has the kernel send one record that is not the user's. \return its bytes, or -1 with `err`, EAGAIN if
/// there is no room
[[nodiscard]] ssize_t send_record_by_kernel(NativeSocket socket, std::uint8_t type,
                                            std::span<const std::byte> content, int& err) noexcept;

}  // namespace tsock::inline v0::tls
