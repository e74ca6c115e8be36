#pragma once

#include <tsock/export.hpp>
#include <tsock/file_mode.hpp>
#include <tsock/stream.hpp>

namespace tsock::inline v0 {

class Loop;

/// A Stream over a descriptor that the process was started with, of any kind: terminal, pipe or fifo, stream
/// socket, regular file, device.
///
/// Nothing blocks: worker threads of the loop read and write regular files, at the descriptor's own position,
/// so that others that share it continue where the Stream stopped; up to 64 KiB are read ahead.
/// `disconnect()` returns the error of close(2), where file systems report data that did not reach the disk.
///
/// *The descriptor.* 0, 1 and 2 stay open whatever happens to the Stream. A descriptor above 2 is taken over
/// on success and closed with the Stream. All copies made here are close-on-exec and above 2.
///
/// *O_NONBLOCK* is shared by all processes that have the descriptor. A pipe or terminal is opened again, so
/// that the flag is the Stream's own. Where that is impossible (another user's pipe, no /proc, the
/// controlling side of a pseudo-terminal, other devices), and for sockets always, the shared flag is set; it
/// is restored when the Stream ends, but not for sockets.
///
/// *The end.* The end of a pipe or file and the hang-up of a terminal are EPIPE. `shutdown_write()` on a pipe
/// lets its reader see the end: the stream's descriptor is closed, and 0, 1 or 2 is redirected to /dev/null,
/// because the number must not become free. ENOTSUP for terminals, files and devices. SIGPIPE is never
/// raised.
///
/// \param err 0, or EBADF; EISDIR; for sockets what `Stream::adopt()` gives; EMFILE and the like. A read or
/// write that the descriptor was not opened for gives EBADF.
[[nodiscard]] TSOCK_EXPORT Stream open_stdio(Loop& loop, int fd, int& err);

/// A Stream over a file, opened (open(2)) before this returns; it behaves as `open_stdio()` describes. The
/// path may also be a fifo, a terminal or a device. A fifo needs its other end open; otherwise reading ends
/// at once and writing gives ENXIO.
/// \param err 0, or what open(2) gives; EISDIR; EFAULT for a null path.
[[nodiscard]] TSOCK_EXPORT Stream open_file(Loop& loop, const char* path, FileMode mode, int& err);

}  // namespace tsock::inline v0
