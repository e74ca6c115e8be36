#include "layer/layer_stream.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "layer/discard_input.hpp"
#include "layer/wiped_bytes.hpp"

namespace tsock::inline v0::layer {

namespace {

// What is asked of the backend below at once. The block goes back to the pool when it is used up.
constexpr std::size_t least_pull = std::size_t{16} * 1024;
constexpr std::size_t most_pull = std::size_t{256} * 1024;  // the largest block that the pool keeps
// How often one call of the front goes to the backend below before others have their turn.
constexpr unsigned pulls_per_call = 4;
constexpr std::size_t written_per_call = std::size_t{256} * 1024;
constexpr unsigned most_pulls_for_reason = 16;

std::size_t size_of(std::span<const iovec> vectors) noexcept {
  std::size_t size = 0;
  for (const iovec& vector : vectors) size += vector.iov_len;
  return size;
}

}  // namespace

LayerStream::LayerStream(std::pmr::memory_resource& memory, std::unique_ptr<StreamBackend> below,
                         std::unique_ptr<Engine> engine, const LayerOptions& options) noexcept
    : engine_(std::move(engine)),
      below_(std::move(below)),
      in_(memory),
      out_(memory),
      goodbye_time_(options.goodbye_time),
      below_is_final_(below_->traits().short_is_final),
      below_reads_ahead_(below_->traits().read_ahead) {
  below_->attach(*this);
  in_.set_wipes(true);
  out_.set_wipes(true);
}

StreamTraits LayerStream::traits() const noexcept {
  const std::size_t message_size = engine_->message_size();
  return {.read_ahead = message_size == 0, .short_is_final = below_is_final_, .message_size = message_size};
}

std::string_view LayerStream::reason() const noexcept {
  const std::string_view reason = engine_ != nullptr ? engine_->reason() : std::string_view();
  return reason.empty() && below_ != nullptr ? below_->reason() : reason;
}

// ---- reading ----

// Until `room` bytes are given.
template <class Unwrap>
ssize_t LayerStream::read(std::size_t room, Unwrap unwrap, int& err) noexcept {
  std::size_t given = 0;
  err = EAGAIN;
  // An engine that is short of input is not asked before there is some: over TLS that is a call of SSL_read
  // for each event, which fails. With the emptied error queue of the engine it is 20,100 -> 16,444
  // instructions for a PDU of 64 bytes, echoed.
  bool is_short = wanted_ != 0 && in_.size() < wanted_ && !at_end_ && engine_->ready() == 0;
  unsigned pulls = 0;
  for (;;) {
    if (is_short) {
      const Pulled pulled = pull(wanted_, room - given, err);
      if (pulled == Pulled::nothing || pulled == Pulled::failed) break;
      pulls = pulled == Pulled::all ? pulls_per_call : pulls + 1;
    }
    const Step step = unwrap(given);
    wanted_ = step.input;
    if (!out_.empty()) push();  // what the engine has to say to this: a key update, an alert
    if (step.err != 0) {
      err = step.err;
      break;
    }
    if (given >= room || wanted_ == 0 || at_end_ || pulls == pulls_per_call) break;
    is_short = true;
  }
  in_.trim();
  if (given != 0) return static_cast<ssize_t>(given);
  return err == EPIPE ? 0 : -1;
}

ssize_t LayerStream::try_readv(std::span<const iovec> to, int& err) noexcept {
  return read(
      size_of(to), [this, to](std::size_t& given) { return engine_->unwrap(in_, at_end_, to, given, out_); },
      err);
}

ssize_t LayerStream::try_read_message(MessageRoom& room, int& err) noexcept {
  return read(
      1,
      [this, &room](std::size_t& given) { return engine_->unwrap_message(in_, at_end_, room, given, out_); },
      err);
}

// The length of a long message is only the peer's word: it is fetched in steps that grow with what has come.
LayerStream::Pulled LayerStream::pull(std::size_t wanted, std::size_t room_for_user, int& err) noexcept {
  const std::size_t missing = wanted > in_.size() ? wanted - in_.size() : 1;
  const std::size_t most = most_pull - std::min(in_.size(), most_pull - least_pull);
  const std::size_t usual = std::clamp(room_for_user, least_pull, most);
  std::span<std::byte> room = in_.room(std::max(usual, std::min(missing, in_.size())));
  if (room.empty()) {
    err = ENOMEM;
    return Pulled::failed;
  }
  if (!below_reads_ahead_) room = room.first(std::min(missing, room.size()));
  const iovec vector = make_vector(room);
  is_pulling_ = true;  // the other end of a pair in memory calls on_writable() from inside this
  const ssize_t got = below_->try_readv({&vector, 1}, err);
  is_pulling_ = false;
  if (got < 0) return err == EAGAIN ? Pulled::nothing : Pulled::failed;
  err = EAGAIN;
  at_end_ = got == 0;
  in_.put(static_cast<std::size_t>(got));
  return below_is_final_ && static_cast<std::size_t>(got) < room.size() && !at_end_ ? Pulled::all
                                                                                    : Pulled::some;
}

Readiness LayerStream::want_readable() noexcept {
  if (engine_->ready() != 0 || wanted_ == 0 || in_.size() >= wanted_ || at_end_) return Readiness::now;
  return below_->want_readable();
}

std::size_t LayerStream::pending_bytes(int& err) noexcept {
  if (engine_->ready() != 0) return engine_->ready();
  int error = EAGAIN;
  if (in_.size() < std::max(wanted_, std::size_t{1}) && !at_end_) pull(wanted_, 0, error);
  std::size_t given = 0;
  const Step step = engine_->unwrap(in_, at_end_, {}, given, out_);
  wanted_ = step.input;
  if (!out_.empty()) push();
  const std::size_t bytes = engine_->ready();
  if (bytes == 0) in_.trim();  // otherwise whoever asks reads now, and that trims what is left
  if (bytes == 0 && step.err != 0) err = step.err;
  if (bytes == 0 && step.err == 0 && error != EAGAIN) err = error;
  return bytes;
}

// ---- writing ----

ssize_t LayerStream::try_writev(std::span<const iovec> from, int& err) noexcept {
  if (side_ended_) {
    err = EPIPE;
    return -1;
  }
  // A message behind one that waits stays with the front, which can hold it back.
  if (is_blocked_ && !out_.empty() && engine_->message_size() != 0) {
    err = EAGAIN;
    return -1;
  }
  const std::size_t total = std::min(size_of(from), written_per_call);
  std::size_t taken = 0;
  while (write_error_ == 0 && taken < total && out_.size() < Engine::most_output) {
    const std::size_t before = taken;
    const Step step = engine_->wrap(from, taken, out_);
    unsent_ += taken - before;
    if (step.err != 0) {
      write_error_ = step.err;
    } else if (taken < total) {
      push();
    }
  }
  // The front asks try_flush(), which passes it on and meets the error.
  if (taken != 0) return static_cast<ssize_t>(taken);
  err = write_error_ != 0 ? write_error_ : EAGAIN;
  return -1;
}

// Passes on what is there for the peer. \return 0 when all of it has left the stream below, too.
int LayerStream::push() noexcept {
  if (write_error_ != 0) return write_error_;
  if (is_blocked_) return EAGAIN;
  int err = 0;
  while (!out_.empty() && err == 0) {
    const iovec vector = make_vector(out_.bytes());
    const ssize_t sent = below_->try_writev({&vector, 1}, err);
    if (sent > 0) {
      err = 0;
      // A handshake may send what is a secret.
      if (phase_ == Phase::handshake) wipe(out_.bytes().first(static_cast<std::size_t>(sent)));
      // Where all of it has left, nobody asks for borders.
      if (static_cast<std::size_t>(sent) == out_.size()) {
        partly_ = {};
      } else {
        note_partly_sent(static_cast<std::size_t>(sent));
      }
      out_.take(static_cast<std::size_t>(sent));
      if (!out_.empty() && below_is_final_) err = EAGAIN;
    }
    if (err == EAGAIN && below_->want_writable() != Readiness::later) err = 0;
  }
  while (err == 0) {
    err = below_->try_flush();
    if (err == 0) {
      unsent_ = passed_ = 0;
      return 0;
    }
    if (err == EAGAIN && below_->want_writable() != Readiness::later) err = 0;
  }
  is_blocked_ = err == EAGAIN;
  if (err == EAGAIN) return err;
  write_error_ = err;
  if (phase_ == Phase::open) hear_last_words(err);
  return err;
}

// What has borders is done message by message.
void LayerStream::note_partly_sent(std::size_t bytes) noexcept {
  if (phase_ != Phase::open || engine_->message_size() == 0) return;
  std::span<const std::byte> out = out_.bytes();
  while (bytes != 0) {
    if (partly_.size == 0) partly_ = engine_->first_message(out);
    const std::size_t step = std::min(bytes, partly_.size);
    partly_.size -= step;
    if (partly_.size == 0) passed_ += partly_.plain;
    out = out.subspan(step);
    bytes -= step;
  }
}

std::size_t LayerStream::unsent_bytes() const noexcept {
  return passed_ != 0 && below_->unsent_bytes() == 0 ? unsent_ - passed_ : unsent_;
}

// The stream below takes nothing more. The engine's reason may lie unread: an alert of a peer that has closed
// behind it. \return the engine's error, or else `err`
int LayerStream::hear_last_words(int err) noexcept {
  for (unsigned pulls = 0; pulls < most_pulls_for_reason; ++pulls) {
    std::size_t given = 0;
    Step step;
    if (phase_ == Phase::handshake) step = engine_->handshake(in_, at_end_, out_);
    if (step.err == 0 && step.input == 0) {
      if (engine_->ready() != 0) return err;
      step = engine_->unwrap(in_, at_end_, {}, given, out_);
    }
    if (phase_ == Phase::open) wanted_ = step.input;
    if (step.err != 0) return step.err;
    int failure = 0;
    if (step.input == 0 || is_pulling_) return err;
    if (const Pulled pulled = pull(step.input, 0, failure);
        pulled == Pulled::nothing || pulled == Pulled::failed)
      return err;
    if (at_end_) return err;
  }
  return err;
}

// Asked after EAGAIN; what gave it has asked the backend below for the event.
Readiness LayerStream::want_writable() noexcept {
  if (phase_ == Phase::closing) return below_->want_writable();
  if (phase_ == Phase::goodbye) return has_more_input_ ? Readiness::now : Readiness::later;
  return push() == EAGAIN ? Readiness::later : Readiness::now;
}

int LayerStream::try_shutdown_write() noexcept {
  if (!side_ended_) {
    if (const int err = engine_->end_writing(out_); err != 0) return err;
    side_ended_ = true;
  }
  return push();
}

// ---- disconnecting ----

// The engine's goodbye, the peer's if it is to be waited for, then the stream below with its own.
int LayerStream::try_disconnect(Linger& linger) noexcept {
  if (phase_ == Phase::open) {
    phase_ = Phase::goodbye;
    if (write_error_ == 0 && !has_failed_) hears_goodbye_ = engine_->say_goodbye(out_);
    goodbye_end_ = std::chrono::steady_clock::now() + goodbye_time_;
  }
  if (phase_ == Phase::closing) return below_->try_disconnect(linger);

  const bool is_stuck = push() == EAGAIN;
  linger.try_again = {};
  // A peer that talks on has its turn like others.
  has_more_input_ = !linger.peer_has_ended && discard_more(linger) == Readiness::now;
  if (has_more_input_ && !linger.is_over) return EAGAIN;
  if (!linger.is_over && awaits_more(linger, is_stuck)) return EAGAIN;
  phase_ = Phase::closing;
  linger.try_again = {};
  // The peer may be in the middle of a record.
  if (linger.discarded <= linger.most_discarded) linger.discard(in_.size());
  in_.clear();
  const bool is_cut = is_stuck && unsent_ != 0 && !linger.gives_up_unsent;
  linger.gives_up_unsent = !is_cut;
  const int err = below_->try_disconnect(linger);
  return is_cut && err == 0 ? ETIMEDOUT : err;
}

// \return now when there may be more
Readiness LayerStream::discard_more(Linger& linger) noexcept {
  const DiscardedInput dropped = discard_input(
      linger,
      [this](const iovec& vector, int& err) {
        if (!has_failed_) return try_readv({&vector, 1}, err);
        const ssize_t got = below_->try_readv({&vector, 1}, err);
        if (got == 0) at_end_ = true;
        return got;
      },
      [this] { return has_failed_ ? below_->want_readable() : want_readable(); });
  if (dropped.is_over) {
    // The backend below says the rest.
    hears_goodbye_ = false;
    linger.peer_has_ended = dropped.has_ended && !at_end_;
  }
  return dropped.more;
}

// What the user has written is waited for as long as the front says, goodbyes for their own time.
bool LayerStream::awaits_more(Linger& linger, bool is_stuck) const noexcept {
  if (is_stuck && unsent_ != 0) return !linger.gives_up_unsent;
  if (!is_stuck && (!hears_goodbye_ || write_error_ != 0)) return false;
  const auto now = std::chrono::steady_clock::now();
  if (now >= goodbye_end_) return false;
  linger.try_again = std::chrono::ceil<std::chrono::milliseconds>(goodbye_end_ - now);
  return true;
}

// ---- events of the backend below ----

void LayerStream::on_readable() noexcept {
  if (phase_ == Phase::handshake) {
    advance_handshake();
  } else if (events_ != nullptr) {
    events_->on_readable();
  }
}

void LayerStream::on_writable() noexcept {
  is_blocked_ = false;
  const std::size_t unsent = unsent_bytes();
  if (phase_ != Phase::closing && push() == EAGAIN && unsent_bytes() == unsent) return;
  if (phase_ == Phase::handshake) {
    if (!is_pulling_) advance_handshake();
  } else if (events_ != nullptr) {
    events_->on_writable();
  }
}

void LayerStream::on_broken(int err) noexcept {
  if (events_ != nullptr) events_->on_broken(err);
}

void LayerStream::on_shortage(int err) noexcept {
  is_blocked_ = false;
  if (phase_ == Phase::handshake) {
    end_handshake(err);
  } else if (events_ != nullptr) {
    events_->on_shortage(err);
  }
}

// ---- handshake ----

int LayerStream::start(std::span<const std::byte> unread, HandshakeObserver& observer) noexcept {
  if (!in_.append(unread)) return ENOMEM;
  observer_ = &observer;
  advance_handshake();
  return 0;
}

void LayerStream::advance_handshake() noexcept {
  Pulled pulled = Pulled::some;
  while (observer_ != nullptr) {
    const Step step = engine_->handshake(in_, at_end_, out_);
    const int pushed = push();
    if (step.err != 0 || (pushed != 0 && pushed != EAGAIN)) {
      end_handshake(step.err != 0 ? step.err : hear_last_words(pushed));
      return;
    }
    if (step.input == 0) {
      // Done, but not before the last flight has left.
      if (pushed != 0 && !step.output_may_wait) return;
      // The first reader need not hear from the engine, SSL_read say, that it has nothing without input.
      if (in_.empty() && !at_end_ && engine_->ready() == 0) wanted_ = 1;
      end_handshake(0);
      return;
    }
    int err = 0;
    // Behind a short read there was no more a moment ago.
    pulled = pulled == Pulled::all ? Pulled::nothing : pull(step.input, 0, err);
    if (pulled == Pulled::failed) {
      end_handshake(err);
      return;
    }
    if (pulled == Pulled::nothing && below_->want_readable() == Readiness::later) {
      in_.trim();
      return;
    }
  }
}

void LayerStream::end_handshake(int err) noexcept {
  if (observer_ == nullptr) return;
  phase_ = Phase::open;
  has_failed_ = err != 0;
  in_.trim();
  in_.set_wipes(has_failed_);
  out_.set_wipes(has_failed_);
  std::exchange(observer_, nullptr)->on_handshake(err);
}

}  // namespace tsock::inline v0::layer
