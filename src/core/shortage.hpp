#pragma once

#include <cerrno>

namespace tsock::detail {

/// Whether the process or the system ran out of descriptors, memory or (ENOSPC, epoll_ctl(2)) watches, so
/// that a later try may go well.
[[nodiscard]] inline bool is_shortage(int err) noexcept {
  return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM || err == ENOSPC;
}

}  // namespace tsock::detail
