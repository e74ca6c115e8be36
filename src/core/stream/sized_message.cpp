#include "core/stream/sized_message.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <span>

namespace tsock::inline v0::detail {

ssize_t read_sized_message(StreamBackend& backend, MessageRoom& room, int& err) noexcept {
  int failure = 0;
  const std::size_t size = backend.pending_bytes(failure);
  err = size == 0 && failure != 0 ? failure : EAGAIN;
  if (size == 0) return err == EPIPE ? 0 : -1;
  std::span<std::byte> rest = room.take(size);
  if (rest.empty()) return -1;
  while (!rest.empty()) {
    const std::array<iovec, 1> vector{make_vector(rest)};
    const ssize_t got = backend.try_readv(vector, err);
    if (got <= 0) {
      // A part that was taken cannot stay there.
      if (rest.size() == size) return got;
      err = EPROTO;
      return -1;
    }
    rest = rest.subspan(static_cast<std::size_t>(got));
  }
  return static_cast<ssize_t>(size);
}

}  // namespace tsock::inline v0::detail
