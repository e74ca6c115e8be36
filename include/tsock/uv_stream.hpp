#pragma once

#include <tsock/export.hpp>
#include <tsock/stream.hpp>
#include <tsock/stream_options.hpp>

struct uv_stream_s;

namespace tsock {

class Loop;

/// Who closes a libuv handle that became a Stream, see `wrap_uv_stream()`.
class UvStreamOwnership {
 public:
  /// Frees the memory of a handle that libuv has closed.
  using Free = void (*)(uv_stream_s* handle);

  /// The application keeps the handle: the Stream never closes it. It must stay open until the Stream is
  /// destroyed or disconnected; its `data` and its reference are then what they were before.
  [[nodiscard]] static UvStreamOwnership borrow() noexcept { return {}; }
  /// The Stream closes the handle (uv_close) when it is destroyed, disconnected or aborted; `free` is called
  /// from libuv's close callback, where the memory may go. It must not call tsock. Null when nothing is to be
  /// freed.
  [[nodiscard]] static UvStreamOwnership take(Free free) noexcept {
    UvStreamOwnership ownership;
    ownership.takes_ = true;
    ownership.free_ = free;
    return ownership;
  }

  [[nodiscard]] bool takes() const noexcept { return takes_; }
  [[nodiscard]] Free free_function() const noexcept { return free_; }

 private:
  bool takes_ = false;
  Free free_ = nullptr;
};

/// Makes a Stream of a libuv stream that is open and connected: uv_tcp_t, uv_pipe_t (also the stdio of a
/// child process), uv_tty_t. The handle must belong to the Loop's uv_loop_t. The Stream takes over the
/// handle's `data` and reads it alone; the application must not start to read it.
///
/// The handle is read only while a read is in progress, and at most 64 KiB ahead of the caller. It does not
/// keep `Loop::run()` going; requests in progress do.
///
/// `shutdown_write()` gives ENOTSUP for what is no socket (terminals, true pipes). `native_handle()`,
/// credentials and descriptor passing are not offered. Of `options` those that the handle's socket does not
/// have are left out.
///
/// No write of the Stream raises SIGPIPE, with one exception: when the process has no descriptor left (the
/// Stream waits for room through a duplicate of the handle's descriptor), up to 64 KiB at a time are left to
/// uv_write, and libuv's later write to a pipe whose reader has gone raises the signal.
///
/// \param err 0, or: EINVAL for a null or closing handle, a handle of another loop or of another kind;
/// ENOTCONN when it can be neither read nor written; EBUSY when the application reads or writes it right now;
/// ENOMEM; what setsockopt(2) gives. On failure the Stream is empty and the handle untouched.
[[nodiscard]] TSOCK_EXPORT Stream wrap_uv_stream(Loop& loop, uv_stream_s* handle, UvStreamOwnership ownership,
                                                 const StreamOptions& options, int& err);

}  // namespace tsock
