#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <tsock/address.hpp>
#include <tsock/datagram.hpp>
#include <tsock/datagram_backend.hpp>
#include <tsock/datagram_options.hpp>

/// The system's datagram calls; the rules are those of uv/os/socket.hpp.
namespace tsock::os {

/// EINVAL for broadcast on ipv6. What cannot be changed on a socket that is `bound` is left out then.
int apply_datagram(int fd, int family, const DatagramOptions& options, bool bound) noexcept;
/// \return datagrams received; 0 with `err`. `control`: ancillary data is asked for.
std::size_t receive_datagrams(int fd, std::span<DatagramSlot> slots, bool control, int& err);
/// The size of the datagram that is received next; 0 with `err`, EAGAIN when none is there.
std::size_t next_datagram_size(int fd, int& err) noexcept;
/// The largest datagrams that the kernel may be asked to cut; 0: none.
inline constexpr std::size_t any_segment = 65535;
/// \return messages sent; 0 with `err` of the first one. Datagrams up to `largest_segment` are given to the
/// kernel together where they can be; it is lowered when the kernel does not cut them after all.
std::size_t send_datagrams(int fd, std::span<const DatagramMessage> messages, std::size_t& largest_segment,
                           int& err) noexcept;
/// Takes everything from the error queue, so that it is reported once. \return the last error, 0 for none.
int drain_error_queue(int fd) noexcept;
/// Makes the send buffer hold one datagram of that size. \return false when it does already.
bool grow_send_buffer(int fd, std::size_t size) noexcept;
std::uint64_t dropped_datagrams(int fd) noexcept;
int join_multicast(int fd, const Address& group, unsigned interface_index, const Address& source,
                   bool join) noexcept;
DatagramCapabilities datagram_capabilities() noexcept;

}  // namespace tsock::os
