#include "core/stream_write.hpp"

#include <cerrno>

#include "core/stream_core.hpp"

namespace tsock::detail {

void StreamWrite::interrupt(int err) {
  if (stream() != nullptr) stream()->drop_write(*this);
  end_without_stream(err);
}

void StreamWrite::on_abandon() noexcept {
  if (stream() != nullptr) stream()->drop_write(*this);
  leave_queue();
}

}  // namespace tsock::detail
