#pragma once

#include <cstddef>
#include <tsock/buffer.hpp>
#include <tsock/native_socket.hpp>
#include <tsock/unique_fd.hpp>

/// A pipe between a socket and another one or a file, through which the system moves bytes by itself:
/// splice(2) of Linux. Functions return 0 or an errno value unless they say otherwise; EINTR is never
/// returned, and SIGPIPE is not raised.
namespace tsock::inline v0::os {

struct PipeEnds {
  UniqueFd out;
  UniqueFd in;
};

/// Opens a pipe for about so many bytes; ENOTSUP where it would be of no use.
int open_pipe(std::size_t size, PipeEnds& ends) noexcept;
/// Makes room for about so many bytes, where the system grants it. \return the room that there is
std::size_t resize_pipe(const PipeEnds& pipe, std::size_t size) noexcept;
/// Moves bytes from a socket into an empty pipe. \return bytes, 0 at the end of the socket, -1 with `err`
ssize_t move_into_pipe(NativeSocket from, const PipeEnds& pipe, std::size_t most, int& err) noexcept;
/// Moves bytes from a pipe that has so many to a socket. \return bytes, -1 with `err`
ssize_t move_out_of_pipe(const PipeEnds& pipe, NativeSocket to, std::size_t bytes, int& err) noexcept;
/// Whether a file takes bytes that way: not at its end, wherever that is (O_APPEND).
[[nodiscard]] bool can_move_into_file(int file) noexcept;
/// As above, to a file, at the position of its descriptor; waits for the disk. Some file systems
/// refuse.
ssize_t move_into_file(const PipeEnds& pipe, int file, std::size_t bytes, int& err) noexcept;

}  // namespace tsock::inline v0::os
