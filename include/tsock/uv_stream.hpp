#pragma once

#include <tsock/export.hpp>
#include <tsock/stream.hpp>
#include <tsock/stream_options.hpp>

struct uv_stream_s;

namespace tsock::inline v0 {

class Loop;

/// Whether the application or the Stream closes a libuv handle, see `wrap_uv_stream()`.
class UvStreamOwnership {
 public:
  /// Frees the memory of a handle that libuv has closed.
  using Free = void (*)(uv_stream_s* handle);

  /// The application keeps the handle: the Stream never closes it. It must stay open until the Stream is
  /// destroyed or disconnected; its `data` and its reference are then restored.
  [[nodiscard]] static UvStreamOwnership borrow() noexcept { return {}; }
  /// The Stream closes the handle (uv_close) when it is destroyed, disconnected or aborted, and calls `free`
  /// from libuv's close callback to release the memory. `free` must not call tsock. Null if there is nothing
  /// to release.
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
/// handle's `data` and is its only reader; the application must not start to read it.
///
/// The handle is read only while a read is in progress, and at most 64 KiB ahead of the caller. It does not
/// keep `Loop::run()` running; requests in progress do.
///
/// `shutdown_write()` gives ENOTSUP on handles that are not sockets (terminals, true pipes).
/// `native_handle()`, credentials and descriptor passing are not available. Options that the handle's socket
/// does not have are ignored.
///
/// No write of the Stream raises SIGPIPE, with one exception: if the process has no descriptor left (the
/// Stream waits for room through a duplicate of the handle's descriptor), up to 64 KiB at a time are passed
/// to uv_write, and libuv's later write to a pipe without a reader raises the signal.
///
/// \param err 0, or:
///  - EINVAL: a null or closing handle, or one of another loop or kind
///  - ENOTCONN: it can be neither read nor written
///  - EBUSY: the application is reading or writing it
///  - ENOMEM
///  - what setsockopt(2) gives
///
/// On failure the Stream is empty and the handle untouched.
[[nodiscard]] TSOCK_EXPORT Stream wrap_uv_stream(Loop& loop, uv_stream_s* handle, UvStreamOwnership ownership,
                                                 const StreamOptions& options, int& err);

}  // namespace tsock::inline v0
