#include "layer/framed_stream.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <tsock/layer/engine.hpp>
#include <utility>

#include "layer/discard_input.hpp"
#include "layer/give_bytes.hpp"

namespace tsock::inline v0::layer {

namespace {

// Up to here a copy behind the length costs less than another vector in the system call.
constexpr std::size_t most_copied = std::size_t{8} * 1024;
constexpr std::size_t most_messages = 64;  // in one call of the stream below
constexpr std::size_t fresh_size = std::size_t{16} * 1024;
// What is asked of the stream below at once, and how often in a call before others have their turn.
constexpr std::size_t least_read = std::size_t{16} * 1024;
constexpr std::size_t read_of_many = std::size_t{64} * 1024;
constexpr unsigned reads_per_call = 4;
constexpr std::size_t most_written = std::size_t{256} * 1024;

std::span<const std::byte> bytes_of(const iovec& vector) noexcept {
  return {static_cast<const std::byte*>(vector.iov_base), vector.iov_len};
}

// Fills `to` with what is behind the first `skip` bytes of the vectors.
void copy_bytes(std::span<const iovec> from, std::size_t skip, std::span<std::byte> to) noexcept {
  for (const iovec& vector : from) {
    const std::span<const std::byte> part = bytes_of(vector).subspan(std::min(skip, vector.iov_len));
    skip -= vector.iov_len - part.size();
    const std::size_t step = std::min(part.size(), to.size());
    if (step != 0) std::memcpy(to.data(), part.data(), step);
    to = to.subspan(step);
  }
}

}  // namespace

FramedStream::FramedStream(std::unique_ptr<StreamBackend> below, const LengthFormat& format,
                           std::span<const std::byte> unread, std::pmr::memory_resource& memory)
    : ForwardingBackend(std::move(below)),
      format_(format),
      header_(format.header_size()),
      in_(memory),
      below_is_final_(this->below().traits().short_is_final),
      below_reads_ahead_(this->below().traits().read_ahead),
      out_(memory) {
  if (!in_.append(unread)) throw std::bad_alloc();
}

StreamTraits FramedStream::traits() const noexcept {
  return {.read_ahead = false, .short_is_final = below_is_final_, .message_size = format_.most};
}

std::string_view FramedStream::reason() const noexcept {
  return reason_.empty() ? below().reason() : reason_;
}

// ---- reading ----

[[gnu::always_inline]] inline FramedStream::Message FramedStream::find(
    std::span<const std::byte> in) const noexcept {
  Message message;
  if (in.size() < header_) {
    message.missing = header_;
    return message;
  }
  message.body = format_.read(in);
  message.is_refused = !format_.allows(message.body);
  if (!message.is_refused && in.size() - header_ < message.body) message.missing = header_ + message.body;
  return message;
}

// Opens the message at the front of the input, which may have to come first. An error stays: what is behind
// it has no borders.
bool FramedStream::open_next(int& err) noexcept {
  for (unsigned pulls = 0; rest_ == 0; ++pulls) {
    const Message message = find(in_.bytes());
    if (message.is_refused) {
      reason_ = refuse_length(format_, message.body, text_);
      err = message.body < format_.least ? format_.too_short : EMSGSIZE;
      return false;
    }
    if (message.missing == 0) {
      in_.take(header_);
      rest_ = message.body;
    } else if (read_error_ != 0) {
      err = read_error_;
      return false;
    } else if (at_end_) {
      err = in_.empty() ? EPIPE : EPROTO;
      if (err == EPROTO) reason_ = "the stream was cut inside of a message";
      return false;
    } else if (pulls == reads_per_call || !pull(message.missing, err)) {
      in_.trim();
      return false;
    }
  }
  return true;
}

// The length of a long message is only the peer's word: it is fetched in steps that grow with what has come.
// \return whether another look at the input is worth it
bool FramedStream::pull(std::size_t wanted, int& err) noexcept {
  const std::size_t missing = wanted - in_.size();
  const bool is_first = in_.empty();
  const std::size_t usual = comes_with_others_ ? read_of_many : least_read;
  std::span<std::byte> room = in_.room(std::max(usual, std::min(missing, in_.size())));
  if (room.empty()) {
    err = ENOMEM;
    return false;
  }
  if (!below_reads_ahead_) room = room.first(std::min(missing, room.size()));
  const iovec vector = make_vector(room);
  const ssize_t got = below().try_readv({&vector, 1}, err);
  if (got < 0) return false;
  at_end_ = got == 0;
  in_.put(static_cast<std::size_t>(got));
  if (is_first) pulled_ = in_.size();
  err = EAGAIN;
  return at_end_ || !below_is_final_ || static_cast<std::size_t>(got) >= std::min(missing, room.size());
}

// They are out of the stream below: without memory for them reading has come to its end.
void FramedStream::keep_input(std::span<const std::byte> bytes) noexcept {
  if (!in_.append(bytes)) read_error_ = ENOMEM;
}

// As try_read_message(), with nothing kept. What has come lies on the stack until the size of the first
// message is known, in place of a block of the pool for each event: 222 instructions less for a message
// of 64 bytes, echoed. Inlined, with send_one(), it is 31 less again, and 8 more where 32 are in flight.
// \return what to return; nothing where the input that is kept now tells more
[[gnu::always_inline]] inline std::optional<ssize_t> FramedStream::read_fresh_message(MessageRoom& room,
                                                                                      int& err) noexcept {
  std::array<std::byte, fresh_size> fresh;
  const iovec vector = make_vector(std::span<std::byte>(fresh));
  const ssize_t got = below().try_readv({&vector, 1}, err);
  if (got <= 0) {
    at_end_ = got == 0;
    return got;
  }
  err = EAGAIN;
  std::span<const std::byte> bytes = std::span(fresh).first(static_cast<std::size_t>(got));
  const Message message = find(bytes);
  std::span<std::byte> target;
  if (message.missing == 0 && !message.is_refused) {
    target = room.take(message.body);
    if (!target.empty()) {
      std::memcpy(target.data(), bytes.data() + header_, message.body);
      bytes = bytes.subspan(header_ + message.body);
    }
  }
  comes_with_others_ = !bytes.empty();
  if (comes_with_others_) keep_input(bytes);
  if (!target.empty()) return static_cast<ssize_t>(message.body);
  const bool has_no_room = message.missing == 0 && !message.is_refused;
  const bool is_all = below_is_final_ && message.missing != 0 && static_cast<std::size_t>(got) < fresh_size;
  if (has_no_room || is_all) return -1;
  return std::nullopt;
}

ssize_t FramedStream::try_read_message(MessageRoom& room, int& err) noexcept {
  if (in_.empty() && below_reads_ahead_ && !comes_with_others_ && !at_end_ && read_error_ == 0) [[likely]] {
    if (const auto result = read_fresh_message(room, err); result.has_value()) return *result;
  }
  if (!open_next(err)) return err == EPIPE ? 0 : -1;
  const std::span<std::byte> target = room.take(rest_);
  if (target.empty()) {
    err = EAGAIN;
    return -1;
  }
  std::memcpy(target.data(), in_.bytes().data(), rest_);
  in_.take(rest_);
  if (header_ + rest_ == pulled_) comes_with_others_ = false;
  return static_cast<ssize_t>(std::exchange(rest_, 0));
}

ssize_t FramedStream::try_readv(std::span<const iovec> to, int& err) noexcept {
  std::size_t room = 0;
  for (const iovec& vector : to) room += vector.iov_len;
  std::size_t given = 0;
  // An error behind bytes is met again by the next call.
  while (given != room && open_next(err)) {
    const std::size_t step = give_bytes(in_, rest_, to, given);
    given += step;
    rest_ -= step;
  }
  if (given != 0) return static_cast<ssize_t>(given);
  return err == EPIPE ? 0 : -1;
}

Readiness FramedStream::want_readable() noexcept {
  if (rest_ != 0 || at_end_ || read_error_ != 0) return Readiness::now;
  if (!in_.empty()) {
    const Message message = find(in_.bytes());
    if (message.is_refused || message.missing == 0) return Readiness::now;
  }
  return below().want_readable();
}

std::size_t FramedStream::pending_bytes(int& err) noexcept {
  int failure = 0;
  if (!open_next(failure) && failure != EAGAIN) err = failure;
  return rest_;
}

// ---- writing ----

// The stream below has taken `bytes` of these messages, which are counted as waiting.
void FramedStream::note_passed(std::span<const iovec> messages, std::size_t bytes) noexcept {
  for (const iovec& message : messages) {
    const std::size_t size = header_ + message.iov_len;
    if (bytes < size) {
      if (bytes != 0) partly_ = {.size = size - bytes, .plain = message.iov_len};
      return;
    }
    bytes -= size;
    waiting_ -= message.iov_len;
  }
}

// As above, for messages of `out_`, of which the first one may have begun.
void FramedStream::note_passed(std::span<const std::byte> out, std::size_t bytes) noexcept {
  while (bytes != 0) {
    if (partly_.size == 0) {
      const std::size_t body = format_.read(out);
      partly_ = {.size = header_ + body, .plain = body};
    }
    const std::size_t step = std::min(bytes, partly_.size);
    partly_.size -= step;
    if (partly_.size == 0) waiting_ -= partly_.plain;
    out = out.subspan(step);
    bytes -= step;
  }
}

// Offers framed messages to the stream below, and keeps what it does not take of them.
[[gnu::always_inline]] inline ssize_t FramedStream::send(std::span<const iovec> framed,
                                                         std::span<const iovec> messages, std::size_t plain,
                                                         int& err) noexcept {
  const ssize_t result = below().try_writev(framed, err);
  if (result < 0) return -1;
  unsent_ += plain;
  const auto sent = static_cast<std::size_t>(result);
  const std::size_t size = plain + header_ * messages.size();
  if (sent == size) [[likely]]
    return static_cast<ssize_t>(plain);
  keep_unsent(framed, messages, sent, size);
  return static_cast<ssize_t>(plain);
}

[[gnu::noinline]] void FramedStream::keep_unsent(std::span<const iovec> framed,
                                                 std::span<const iovec> messages, std::size_t sent,
                                                 std::size_t size) noexcept {
  waiting_ = size - header_ * messages.size();
  note_passed(messages, sent);
  const std::span<std::byte> rest = out_.room(size - sent);
  if (rest.empty()) {
    write_error_ = ENOMEM;  // in the middle of a message: try_flush() tells
    return;
  }
  copy_bytes(framed, sent, rest.first(size - sent));
  out_.put(size - sent);
}

ssize_t FramedStream::send_copied(std::span<const iovec> messages, std::size_t plain, int& err) noexcept {
  std::array<std::byte, most_copied> copy;
  std::size_t end = 0;
  for (const iovec& message : messages) {
    const std::span<std::byte> place = std::span(copy).subspan(end);
    format_.write(message.iov_len, place);
    std::memcpy(place.data() + header_, message.iov_base, message.iov_len);
    end += header_ + message.iov_len;
  }
  const iovec vector = make_vector(std::span<const std::byte>(copy).first(end));
  return send({&vector, 1}, messages, plain, err);
}

ssize_t FramedStream::send_in_place(std::span<const iovec> messages, std::size_t plain, int& err) noexcept {
  std::array<std::array<std::byte, LengthFormat::longest_header>, most_messages> headers;
  std::array<iovec, 2 * most_messages> vectors;
  std::size_t count = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    format_.write(messages[i].iov_len, headers[i]);
    vectors[count++] = make_vector(std::span<const std::byte>(headers[i]).first(header_));
    vectors[count++] = messages[i];
  }
  return send(std::span(vectors).first(count), messages, plain, err);
}

// As send_copied(), for the usual single message.
[[gnu::always_inline]] inline ssize_t FramedStream::send_one(const iovec& message, int& err) noexcept {
  std::array<std::byte, most_copied> copy;
  format_.write(message.iov_len, copy);
  std::memcpy(copy.data() + header_, message.iov_base, message.iov_len);
  const iovec vector = make_vector(std::span<const std::byte>(copy).first(header_ + message.iov_len));
  return send({&vector, 1}, {&message, 1}, message.iov_len, err);
}

ssize_t FramedStream::try_write_messages(std::span<const iovec> messages, int& err) noexcept {
  if (!out_.empty() || write_error_ != 0) {
    // Behind one that waits: it stays with the front, which can hold it back.
    err = push();
    if (err != 0) return -1;
  }
  const std::span<const iovec> first = messages.first(1);
  if (messages.size() == 1 && first[0].iov_len <= std::min(format_.most, most_copied - header_)) [[likely]]
    return send_one(first[0], err);
  messages = messages.first(std::min(messages.size(), most_messages));
  std::size_t plain = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].iov_len > format_.most) [[unlikely]] {
      messages = messages.first(i);
      break;
    }
    plain += messages[i].iov_len;
  }
  if (messages.empty()) return write_parts(first, err);
  return plain + messages.size() * header_ <= most_copied ? send_copied(messages, plain, err)
                                                          : send_in_place(messages, plain, err);
}

ssize_t FramedStream::try_writev(std::span<const iovec> from, int& err) noexcept {
  if (from.size() == 1) return try_write_messages(from, err);
  if (!out_.empty() || write_error_ != 0) {
    err = push();
    if (err != 0) return -1;
  }
  return write_parts(from, err);
}

// One message of several vectors, or bytes of a pump, which may be more than a message.
ssize_t FramedStream::write_parts(std::span<const iovec> from, int& err) noexcept {
  std::size_t total = 0;
  for (const iovec& vector : from) total += vector.iov_len;
  std::size_t taken = 0;
  while (taken < std::min(total, most_written) && write_error_ == 0 && out_.size() < Engine::most_output) {
    const std::size_t size = std::min(total - taken, format_.most);
    const std::span<std::byte> room = out_.room(header_ + size);
    if (room.empty()) break;
    format_.write(size, room);
    copy_bytes(from, taken, room.subspan(header_, size));
    out_.put(header_ + size);
    taken += size;
    unsent_ += size;
    waiting_ += size;
    if (out_.size() >= Engine::most_output) push();
  }
  // The front asks try_flush(), which passes it on and meets the error.
  if (taken != 0) return static_cast<ssize_t>(taken);
  err = ENOMEM;
  return -1;
}

int FramedStream::try_flush() noexcept {
  if (!out_.empty() || write_error_ != 0) [[unlikely]]
    return push();
  const int err = below().try_flush();
  if (err == 0) {
    unsent_ = 0;
  } else if (err != EAGAIN) {
    write_error_ = err;
  }
  return err;
}

// Passes on what is kept. \return 0 when all of it has left the stream below, too
int FramedStream::push() noexcept {
  int err = write_error_;
  while (err == 0 && !out_.empty()) {
    const iovec vector = make_vector(std::span<const std::byte>(out_.bytes()));
    const ssize_t sent = below().try_writev({&vector, 1}, err);
    if (sent < 0) break;
    err = 0;
    if (static_cast<std::size_t>(sent) == out_.size()) {
      waiting_ = 0;
      partly_ = {};
    } else {
      note_passed(out_.bytes(), static_cast<std::size_t>(sent));
      if (below_is_final_) err = EAGAIN;
    }
    out_.take(static_cast<std::size_t>(sent));
  }
  if (err == 0) err = below().try_flush();
  if (err == 0) unsent_ = 0;
  if (err != EAGAIN) write_error_ = err;
  return err;
}

std::size_t FramedStream::unsent_bytes() const noexcept {
  return below().unsent_bytes() == 0 ? waiting_ : unsent_;
}

// Asked after EAGAIN.
Readiness FramedStream::want_writable() noexcept {
  return has_more_input_ ? Readiness::now : below().want_writable();
}

// There is no goodbye: what is kept leaves, and the stream below does the rest.
int FramedStream::try_disconnect(Linger& linger) noexcept {
  if (!is_closing_) {
    const bool is_stuck = push() == EAGAIN && unsent_ != 0;
    is_cut_ = is_stuck && !linger.gives_up_unsent;
    linger.discard(in_.size());
    in_.clear();
    if (is_cut_ && waits_for_peer(linger)) return EAGAIN;
    is_closing_ = true;
    has_more_input_ = false;
    linger.gives_up_unsent = !is_cut_;
  }
  const int err = below().try_disconnect(linger);
  return is_cut_ && err == 0 ? ETIMEDOUT : err;
}

// The peer may be in a write of its own, and take what is kept once that has gone.
bool FramedStream::waits_for_peer(Linger& linger) noexcept {
  if (linger.is_over) return false;
  if (!at_end_ && read_error_ == 0) {
    const DiscardedInput dropped = discard_input(
        linger,
        [this](const iovec& vector, int& err) {
          return below().try_readv({&vector, 1}, err);
        },
        [this] { return below().want_readable(); });
    has_more_input_ = dropped.more == Readiness::now;
    at_end_ = dropped.is_over;
  }
  return linger.discarded <= linger.most_discarded;
}

}  // namespace tsock::inline v0::layer
