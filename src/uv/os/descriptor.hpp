#pragma once

#include <cstdint>
#include <span>
#include <tsock/buffer.hpp>
#include <tsock/file_mode.hpp>
#include <tsock/native_socket.hpp>
#include <tsock/unique_fd.hpp>

/// Descriptors that are not sockets. Every descriptor made here is close-on-exec and above 2. Functions
/// return 0 or an errno value unless they say otherwise; EINTR is never returned.
namespace tsock::inline v0::os {

enum class DescriptorKind : std::uint8_t { socket, pipe, terminal, file, device };

/// The kind of file that the descriptor refers to. EISDIR for a directory.
DescriptorKind descriptor_kind(int fd, int& err) noexcept;
[[nodiscard]] bool is_stream_socket(NativeSocket socket) noexcept;

struct AccessMode {
  bool readable = false;
  bool writable = false;
};
[[nodiscard]] AccessMode access_mode(int fd) noexcept;

/// Closes the descriptor and reports the error of close(2), which is of use for files.
int close(UniqueFd& fd) noexcept;
UniqueFd duplicate(int fd, int& err) noexcept;
/// A descriptor of the same, whatever it is, that a watcher of our own can have. ENOTSUP where it cannot be
/// polled.
UniqueFd duplicate_to_watch(NativeSocket descriptor, int& err) noexcept;
/// Opens the file behind the descriptor once more, non-blocking: a file description of its own, whose flags
/// no other process shares. Fails where that is impossible or would open something else.
UniqueFd reopen(int fd, int& err) noexcept;
/// open(2) that never acquires a controlling terminal.
UniqueFd open_file(const char* path, FileMode mode, int& err) noexcept;
/// Makes `fd` refer to the null device.
int redirect_to_null(int fd) noexcept;

[[nodiscard]] bool is_nonblocking(int fd) noexcept;
void set_nonblocking(int fd) noexcept;
void clear_nonblocking(int fd) noexcept;

/// Whether the other side hung up; bytes may still be there.
[[nodiscard]] bool is_hung_up(int fd) noexcept;

/// \return bytes, 0 at the end, -1 with `err`. No SIGPIPE is raised.
ssize_t read_descriptor(int fd, std::span<const iovec> vectors, int& err) noexcept;
/// As `read_descriptor()`, of a file, as far as its bytes are in memory. EAGAIN when they are not, ENOTSUP
/// where the system cannot tell.
ssize_t read_without_waiting(int fd, std::span<const iovec> vectors, int& err) noexcept;
ssize_t write_descriptor(int fd, std::span<const iovec> vectors, int& err) noexcept;

/// Blocks SIGPIPE in this thread during a write that has no MSG_NOSIGNAL.
class SigpipeGuard {
 public:
  SigpipeGuard() noexcept;
  SigpipeGuard(const SigpipeGuard&) = delete;
  SigpipeGuard& operator=(const SigpipeGuard&) = delete;
  ~SigpipeGuard();
  /// To be called when the write gave EPIPE: takes away the signal that came with it.
  void take_signal() noexcept;

 private:
  bool blocked_here_ = false;
  bool was_pending_ = false;
};

}  // namespace tsock::inline v0::os
