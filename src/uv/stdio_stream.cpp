#include <cerrno>
#include <memory>
#include <new>
#include <tsock/loop.hpp>
#include <tsock/stdio_stream.hpp>
#include <utility>

#include "uv/file_stream.hpp"
#include "uv/loop_impl.hpp"
#include "uv/os/descriptor.hpp"
#include "uv/pipe_stream.hpp"

namespace tsock::inline v0 {

namespace {

// Makes a stream that takes over `fd`.
Stream make_stream_over(Loop& loop, UniqueFd& fd, os::DescriptorKind kind, bool is_shared, int kept,
                        int& err) {
  detail::LoopImpl& impl = detail::impl_of(loop.core());
  switch (kind) {
    case os::DescriptorKind::socket: {
#if defined(_WIN32)
      break;  // no descriptor is a socket there
#else
      UniqueSocket socket(std::move(fd));
      return Stream::adopt(loop, socket, {}, err);
#endif
    }
    case os::DescriptorKind::file:
      return Stream(loop, std::make_unique<detail::FileStream>(impl, std::move(fd)));
    case os::DescriptorKind::pipe:
    case os::DescriptorKind::terminal:
    case os::DescriptorKind::device:
      break;
  }
  auto pipe = std::make_unique<detail::PipeStream>(
      impl,
      detail::PipeStream::Source{.fd = std::move(fd), .kind = kind, .is_shared = is_shared, .kept = kept});
  err = pipe->open();
  if (err != 0) return {};
  return Stream(loop, std::move(pipe));
}

Stream stream_over(Loop& loop, UniqueFd& fd, os::DescriptorKind kind, bool is_shared, int kept, int& err) {
  try {
    return make_stream_over(loop, fd, kind, is_shared, kept, err);
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
    return {};
  }
}

// Whether to open a file description of our own. O_NONBLOCK belongs to the description, which the shell and
// every program that was started with the same terminal or pipe share: `cat`, reading after us, would fail
// with EAGAIN. Devices are not opened again, as that can mean something to them.
bool can_be_reopened(os::DescriptorKind kind) {
  return kind == os::DescriptorKind::pipe || kind == os::DescriptorKind::terminal;
}

}  // namespace

Stream open_stdio(Loop& loop, int fd, int& err) {
  const os::DescriptorKind kind = os::descriptor_kind(fd, err);
  if (err != 0) return {};
  UniqueFd own;
  bool is_shared = true;
  if (can_be_reopened(kind)) {
    own = os::reopen(fd, err);
    is_shared = !own;
  }
  if (!own) own = os::duplicate(fd, err);
  if (err != 0) return {};
  Stream stream = stream_over(loop, own, kind, is_shared, fd <= 2 ? fd : -1, err);
  if (err == 0 && fd > 2) UniqueFd(fd).reset();
  return stream;
}

Stream open_file(Loop& loop, const char* path, FileMode mode, int& err) {
  if (path == nullptr) {
    err = EFAULT;
    return {};
  }
  UniqueFd fd = os::open_file(path, mode, err);
  if (err != 0) return {};
  const os::DescriptorKind kind = os::descriptor_kind(fd.get(), err);
  if (err != 0) return {};
  return stream_over(loop, fd, kind, false, -1, err);
}

}  // namespace tsock::inline v0
