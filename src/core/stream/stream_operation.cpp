#include "core/stream/stream_operation.hpp"

#include <cerrno>
#include <ostream>

#include "core/stream/stream_core.hpp"

namespace tsock::inline v0::detail {

void StreamOperation::describe(std::ostream& out) const {
  if (queue() != nullptr) out << ", queue \"" << queue()->name() << '"' << (is_started() ? "" : " waiting");
  if (stream() == nullptr || stream()->backend() == nullptr) return;
  const Address remote = stream()->backend()->remote_address();
  if (!remote.is_empty()) out << ", peer " << remote.string();
}

// Without a stream, the request is in a list of the loop instead.
void StreamOperation::stop_waiting() noexcept {
  if (stream() != nullptr) unlink();
}

void StreamRead::start_in_queue() {
  StreamCore* const target = stream();
  if (target == nullptr) {
    finish(ECANCELED);
    return;
  }
  target->reserve_read(*this);
}

void StreamRead::begin_in_queue() {
  if (StreamCore* const source = stream(); source != nullptr) source->begin_reserved_read(*this);
}

// Bytes that were still to come may have reached the read in the meantime.
bool StreamRead::undo_start() noexcept {
  StreamCore* const source = stream();
  if (source == nullptr || !is_unfinished() || transferred() != 0) return false;
  source->end_receiver(*this);
  source->add_waiting(*this);
  return true;
}

void StreamRead::give_up_place() noexcept {
  StreamCore* const source = stream();
  if (source == nullptr) return;
  if (source->is_reader(*this)) {
    give_back(*source);
    source->end_receiver(*this);
    source->reader_is_over();
  } else {
    unlink();
  }
  set_stream(nullptr);
}

void StreamRead::interrupt(int err) {
  give_up_place();
  end_without_stream(err);
}

// A read that waits for its turn gets another look whenever the reader ahead gets one.
void StreamRead::on_deadline() {
  StreamCore* const source = stream();
  const bool is_reader = source != nullptr && source->is_reader(*this);
  if (source != nullptr && (is_reader ? source->has_more_in_time(*this) : source->has_late_reader())) {
    postpone_deadline();
  } else if (!is_reader) {
    StreamOperation::on_deadline();
  } else if (is_unfinished()) {
    interrupt(ETIMEDOUT);
  }
}

void StreamRead::on_delivery() noexcept {
  leave_resource();
  leave_queue();
}

void StreamRead::on_abandon() noexcept {
  give_up_place();
  leave_queue();
}

}  // namespace tsock::inline v0::detail
