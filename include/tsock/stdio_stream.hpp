#pragma once

#include <tsock/export.hpp>
#include <tsock/file_mode.hpp>
#include <tsock/stream.hpp>

namespace tsock {

class Loop;

/// A Stream over a descriptor that the process was started with, of any kind: terminal, pipe or fifo, stream
/// socket, regular file, device.
///
/// Nothing blocks: regular files are read and written by worker threads of the loop, at the descriptor's own
/// place in the file, so others that share it go on where the Stream stopped; up to 64 KiB are read ahead.
/// `disconnect()` gives the error of close(2), where file systems report what did not reach the disk.
///
/// *The descriptor.* 0, 1 and 2 stay open whatever happens to the Stream. A descriptor above 2 is taken over
/// on success and closed with the Stream. All copies made here are close-on-exec and above 2.
///
/// *O_NONBLOCK* is a property that all processes share which have the descriptor. A pipe or terminal is
/// opened anew, so that the flag is the Stream's own. Where that cannot be (another user's pipe, no /proc,
/// the controlling side of a pseudo-terminal, other devices), and for sockets always, the shared flag is set;
/// it is put back when the Stream ends, but not for sockets.
///
/// *The end.* The end of a pipe or file and the hang-up of a terminal are EPIPE. `shutdown_write()` on a pipe
/// lets its reader see the end: the stream's descriptor is closed, and 0, 1 or 2 is made to refer to
/// /dev/null, because the number must not be free. ENOTSUP for terminals, files and devices. SIGPIPE is never
/// raised.
///
/// \param err 0, or: EBADF; EISDIR; for sockets what `Stream::adopt()` gives; EMFILE and the like. EBADF
/// comes from a read or write that the descriptor was not opened for.
[[nodiscard]] TSOCK_EXPORT Stream open_stdio(Loop& loop, int fd, int& err);

/// A Stream over a file, opened (open(2)) before this returns; see `open_stdio()` for what it does. The path
/// may also be a fifo, a terminal or a device; a fifo needs its other end open: reading ends at once and
/// writing gives ENXIO otherwise.
/// \param err 0, or what open(2) gives; EISDIR; EFAULT for a null path.
[[nodiscard]] TSOCK_EXPORT Stream open_file(Loop& loop, const char* path, FileMode mode, int& err);

}  // namespace tsock
