#include "changing_flow.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tsock_cat {
namespace {

// Of datagrams that leave in one write.
constexpr std::size_t most_gathered = 128;
constexpr std::size_t most_gathered_bytes = std::size_t{256} << 10;

}  // namespace

ChangingFlow::ChangingFlow(Settings settings, FlowOwner& owner)
    : settings_(std::move(settings)), owner_(owner) {
  pieces_.resize(gathers() ? most_gathered : 2);
}

bool ChangingFlow::gathers() const noexcept {
  return settings_.source->is_datagram() && settings_.sink != nullptr && !settings_.sink->is_datagram() &&
         settings_.sink->most_message == 0;
}

bool ChangingFlow::is_full() const noexcept {
  return ready_ == pieces_.size() || (ready_ >= 2 && queued_bytes_ >= most_gathered_bytes);
}

void ChangingFlow::read_next() {
  if (ended_ || is_full()) return;
  if (reading_.is_in_progress() || reading_message_.is_in_progress() || receiving_.is_in_progress()) return;
  if (waits_for_rate()) return;
  if (settings_.source->is_datagram()) {
    receive_datagram();
  } else if (settings_.framing != nullptr && !after_last_delimiter_) {
    read_message();
  } else {
    read_bytes();
  }
}

// What came so far was a loan on the time to come.
bool ChangingFlow::waits_for_rate() {
  const auto now = Clock::now();
  if (!settings_.rate || now >= next_read_time_) return false;
  if (waiting_.is_in_progress()) return true;
  waiting_ = settings_.loop->sleep(next_read_time_ - now);
  waiting_.set_callback([this](tsock::Request<void>&) { read_next(); });
  return true;
}

void ChangingFlow::read_bytes() {
  auto& buffer = pieces_[next_read_].buffer;
  std::size_t most = settings_.piece_size;
  if (settings_.rate)  // in small pieces, so that it is not all at once
    most = static_cast<std::size_t>(std::clamp<std::uint64_t>(*settings_.rate / 20, 1, most));
  if (settings_.most_bytes)
    most = static_cast<std::size_t>(std::min<std::uint64_t>(*settings_.most_bytes - read_, most));
  buffer.resize(most);
  if (settings_.source->gives_zeros) {
    if (settings_.sink == nullptr) return end_reading({});  // it would never end
    return take(buffer, buffer);
  }
  reading_ = settings_.source->source().read_some(buffer);
  reading_.set_callback([this](tsock::Request<tsock::ssize_t>& request) {
    int err = 0;
    const tsock::ssize_t size = request.recv(err);
    if (err != 0)
      return end_reading({.err = err == EPIPE ? 0 : err, .reason = std::string(request.reason())});
    const auto bytes =
        std::span<const std::byte>(pieces_[next_read_].buffer).first(static_cast<std::size_t>(size));
    take(bytes, bytes);
  });
}

void ChangingFlow::read_message() {
  reading_message_ = settings_.source->source().readv_pdu(*settings_.framing);
  reading_message_.set_callback([this](tsock::Request<tsock::Pdu>& request) { on_message(request); });
}

void ChangingFlow::on_message(tsock::Request<tsock::Pdu>& request) {
  int err = 0;
  tsock::Pdu pdu = request.recv(err);
  if (err == 0) {
    Piece& piece = pieces_[next_read_];
    piece.pdu = std::move(pdu);
    return take(std::as_const(piece.pdu).bytes(), std::as_const(piece.pdu).body());
  }
  const std::size_t cut = request.transferred();
  if (err != EPIPE) return end_reading({.err = err, .reason = std::string(request.reason())});
  if (cut == 0) return end_reading({});
  if (!settings_.last_may_be_open) return end_reading({.err = err, .cut = cut});
  after_last_delimiter_ = true;  // these bytes are still unread
  read_next();
}

void ChangingFlow::receive_datagram() {
  receiving_ = settings_.source->datagrams->receive();
  receiving_.set_callback([this](tsock::Request<tsock::ReceivedDatagram>& request) { on_datagram(request); });
}

void ChangingFlow::on_datagram(tsock::Request<tsock::ReceivedDatagram>& request) {
  int err = 0;
  tsock::ReceivedDatagram datagram = request.recv(err);
  if (err == 0) {
    ++datagrams_read_;
    Piece& piece = pieces_[next_read_];
    piece.datagram = std::move(datagram);
    const auto bytes = std::as_const(piece.datagram).bytes();
    return take(bytes, bytes, piece.datagram.source());
  }
  if (!settings_.source->datagrams->can_go_on_after(err)) return end_reading({.err = err});
  owner_.on_lost(settings_.direction, Place::reading, err, 0);
  read_next();
}

// `wire` is what was read, `content` the part of it that is passed on.
void ChangingFlow::take(std::span<const std::byte> wire, std::span<const std::byte> content,
                        const tsock::Address& from) {
  Piece& piece = pieces_[next_read_];
  piece.bytes = content;
  read_ += wire.size();
  if (settings_.change) {
    piece.changed.clear();
    const int err = settings_.change(content, piece.changed);
    if (err != 0) return end_reading({.err = err});
    piece.bytes = piece.changed;
  }
  owner_.on_bytes(settings_.direction, settings_.direction == Direction::sent ? piece.bytes : wire, from);
  next_read_ = (next_read_ + 1) % pieces_.size();
  queued_bytes_ += piece.bytes.size();
  ++ready_;
  ++messages_read_;
  if (settings_.rate) {
    const std::chrono::duration<double> time(static_cast<double>(wire.size()) /
                                             static_cast<double>(*settings_.rate));
    next_read_time_ =
        std::max(next_read_time_, Clock::now()) + std::chrono::duration_cast<Clock::duration>(time);
  }
  ended_ = (settings_.most_messages && messages_read_ == *settings_.most_messages) ||
           (settings_.most_bytes && read_ == *settings_.most_bytes);
  write_next();
  read_next();
  if (ended_) finish_if_over();  // which may destroy this object
}

// A stream has nothing to do for no bytes; an empty datagram is one.
bool ChangingFlow::is_to_be_dropped(const Piece& piece) const {
  return settings_.sink == nullptr || (piece.bytes.empty() && !settings_.sink->is_datagram());
}

void ChangingFlow::write_next() {
  while (ready_ > 0 && !writing_.is_in_progress()) {
    const Piece& piece = pieces_[next_write_];
    if (is_to_be_dropped(piece)) {
      drop_first_piece();
      continue;
    }
    in_write_ = 1;
    writing_ = gathers() ? write_gathered() : settings_.sink->write(piece.bytes, settings_.queue);
    writing_.set_callback([this](tsock::Request<tsock::ssize_t>& request) { on_written(request); });
  }
}

tsock::Request<tsock::ssize_t> ChangingFlow::write_gathered() {
  std::vector<tsock::iovec> vectors;
  vectors.reserve(ready_);
  for (in_write_ = 0; in_write_ < ready_; ++in_write_) {
    const auto bytes = pieces_[(next_write_ + in_write_) % pieces_.size()].bytes;
    if (!bytes.empty()) vectors.push_back(tsock::make_vector(bytes));
  }
  tsock::Stream& sink = settings_.sink->sink();
  return settings_.queue != nullptr ? sink.writev(*settings_.queue, vectors) : sink.writev(vectors);
}

void ChangingFlow::on_written(tsock::Request<tsock::ssize_t>& request) {
  int err = 0;
  const tsock::ssize_t size = request.recv(err);
  const bool is_datagram = settings_.sink->is_datagram();
  if (err == 0) {
    written_ += static_cast<std::uint64_t>(size);
    datagrams_written_ += is_datagram ? 1U : 0U;
  } else if (is_datagram && settings_.sink->datagrams->can_go_on_after(err)) {
    owner_.on_lost(settings_.direction, Place::writing, err, pieces_[next_write_].bytes.size());
  } else {
    return owner_.on_error(settings_.direction,
                           {.place = Place::writing, .err = err, .reason = std::string(request.reason())});
  }
  for (; in_write_ > 0; --in_write_) drop_first_piece();
  write_next();
  read_next();
  finish_if_over();
}

void ChangingFlow::drop_first_piece() {
  queued_bytes_ -= pieces_[next_write_].bytes.size();
  next_write_ = (next_write_ + 1) % pieces_.size();
  --ready_;
}

void ChangingFlow::end_reading(FlowError error) {
  ended_ = true;
  read_error_ = std::move(error);
  finish_if_over();
}

// The owner may destroy this object.
void ChangingFlow::finish_if_over() {
  if (!ended_ || ready_ > 0) return;
  if (read_error_.err == 0) return owner_.on_done(settings_.direction);
  const FlowError error = std::move(read_error_);
  owner_.on_error(settings_.direction, error);
}

}  // namespace tsock_cat
