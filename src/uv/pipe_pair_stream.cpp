#include "uv/pipe_pair_stream.hpp"

namespace tsock::inline v0::detail {

int PipePairStream::open() {
  const int err = reading_.open();
  return err != 0 ? err : writing_.open();
}

void PipePairStream::attach(StreamEvents& events) noexcept {
  reading_.attach(events);
  writing_.attach(events);
}

int PipePairStream::try_disconnect(Linger& linger) noexcept {
  static_cast<void>(reading_.try_disconnect(linger));
  return writing_.try_disconnect(linger);
}

void PipePairStream::abort() noexcept {
  reading_.abort();
  writing_.abort();
}

}  // namespace tsock::inline v0::detail
