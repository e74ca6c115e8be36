#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <tsock/address.hpp>
#include <tsock/datagram_backend.hpp>
#include <tsock/datagram_capabilities.hpp>
#include <tsock/datagram_options.hpp>
#include <tsock/native_socket.hpp>

/// The system's datagram calls; the rules are those of uv/os/socket.hpp.
namespace tsock::inline v0::os {

/// Applies the options. EINVAL for broadcast on anything but ipv4. Leaves out what a `bound` socket cannot
/// change.
int apply_datagram(NativeSocket socket, int family, const DatagramOptions& options, bool bound) noexcept;
/// How the datagrams of one socket are moved; restricted when a call turns out not to work.
struct DatagramCalls {
  bool batches = true;              ///< recvmmsg and sendmmsg
  bool control = false;             ///< asks for ancillary data
  std::size_t largest_segment = 0;  ///< largest size that the kernel may be asked to cut to; 0: no cutting
  bool error_queue = false;         ///< the kernel keeps ICMP errors, which must be taken from it
  int late_error = 0;               ///< an error behind datagrams that were received; comes next
};
/// What a socket with these options can use.
DatagramCalls datagram_calls(NativeSocket socket, int family, const DatagramOptions& options,
                             bool adopted) noexcept;
/// \return datagrams received; 0 with `err`.
std::size_t receive_datagrams(NativeSocket socket, std::span<DatagramSlot> slots, DatagramCalls& calls,
                              int& err);
/// The size of the next datagram; 0 with `err`, EAGAIN when there is none.
std::size_t next_datagram_size(NativeSocket socket, int& err) noexcept;
/// \return messages sent; 0 with `err` of the first one. Messages of equal size leave as one that the kernel
/// cuts, where it can; small ones are joined in `scratch` for that, as far as there is room.
std::size_t send_datagrams(NativeSocket socket, std::span<const DatagramMessage> messages,
                           DatagramCalls& calls, std::span<std::byte> scratch, int& err) noexcept;
/// Empties the error queue, so that an error is reported once. \return the last error, 0 for none
int drain_error_queue(NativeSocket socket) noexcept;
/// Makes the send buffer hold one datagram of that size. \return whether the buffer has grown
bool grow_send_buffer(NativeSocket socket, std::size_t size) noexcept;
std::uint64_t dropped_datagrams(NativeSocket socket) noexcept;
int join_multicast(NativeSocket socket, const Address& group, unsigned interface_index, const Address& source,
                   bool join) noexcept;
DatagramCapabilities datagram_capabilities() noexcept;

}  // namespace tsock::inline v0::os
