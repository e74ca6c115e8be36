#include "core/stream_control.hpp"

#include <cerrno>

#include "core/stream_core.hpp"

namespace tsock::detail {

const char* StreamControl::name() const noexcept {
  switch (kind_) {
    case Kind::disconnect:
      return "disconnect";
    case Kind::shutdown_write:
      return "shutdown_write";
    case Kind::monitor:
      return "monitor";
  }
  return "control";
}

void StreamControl::start_in_queue() {
  if (stream() == nullptr) {
    finish(ECANCELED);
  } else if (!has(waiting)) {
    stream()->add_waiting(*this);
  }
}

void StreamControl::begin_in_queue() {
  StreamCore* const target = stream();
  if (target == nullptr) return;
  target->remove_waiting(*this);
  target->start_shutdown(*this);
}

void StreamControl::leave_stream() noexcept {
  if (stream() == nullptr) return;
  if (has(waiting)) {
    stream()->remove_waiting(*this);
  } else {
    stream()->end_control(*this);
  }
  set_stream(nullptr);
}

void StreamControl::interrupt(int err) {
  leave_stream();
  end_without_stream(err);
}

void StreamControl::on_delivery() noexcept {
  leave_stream();
  leave_queue();
}

void StreamControl::on_abandon() noexcept {
  leave_stream();
  leave_queue();
}

}  // namespace tsock::detail
