// How an OpenSslEngine turns bytes of the peer into those of the user, and back, until the goodbye.

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "tls/openssl_engine.hpp"

namespace tsock::inline v0::tls {

using layer::ByteBlock;
using layer::Step;

namespace {

constexpr std::size_t largest_record = SSL3_RT_MAX_PLAIN_LENGTH;
constexpr std::size_t record_overhead = 64;
// Key updates, tickets and empty records of a peer that sends no data: above it is an attack on the
// processor.
constexpr std::uint32_t most_quiet_input = 64U * 1024U;
// Refusals of renegotiation for a peer that does not read them: above it is an attack on the memory.
constexpr std::uint32_t most_answers = 16U * 1024U;

bool is_one_record(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() < SSL3_RT_HEADER_LENGTH) return false;
  const std::size_t length =
      std::to_integer<std::size_t>(bytes[3]) << 8U | std::to_integer<std::size_t>(bytes[4]);
  return bytes.size() == SSL3_RT_HEADER_LENGTH + length;
}

}  // namespace

// ---- reading ----

// \return whether the vector is full
bool OpenSslEngine::read_into(const iovec& vector, std::size_t skip, std::size_t& given,
                              const ByteBlock& in) noexcept {
  while (skip < vector.iov_len) {
    std::size_t got = 0;
    const int result =
        SSL_read_ex(ssl_.get(), static_cast<std::byte*>(vector.iov_base) + skip, vector.iov_len - skip, &got);
    if (result != 1) {
      if (const int err = uncleared_failure(result); err != 0) end_reading(err);
      return false;
    }
    skip += got;
    given += got;
    // Another call would only say that it wants input.
    if (in.empty() && !transfer_.at_end && SSL_pending(ssl_.get()) == 0) {
      is_at_record_ = true;
      return skip == vector.iov_len;
    }
  }
  return true;
}

Step OpenSslEngine::unwrap(ByteBlock& in, bool at_end, std::span<const iovec> to, std::size_t& given,
                           ByteBlock& out) noexcept {
  const TransferScope scope(transfer_, &in, at_end, &out);
  const std::size_t before = given;
  const std::size_t input = in.size();
  const std::size_t output = out.size();
  clear_errors_in_handshake();
  while (awaits_early_data() && read_error_ == 0) {
    const EarlyDataTransfer::Reading reading = read_early_data();
    if (reading == EarlyDataTransfer::Reading::failed && read_error_ == 0) return {.input = 1};
    if (reading == EarlyDataTransfer::Reading::data) early_data_->give(to, given);
    if (early_data_->ready() != 0) return {};
  }
  // Without input, as behind a handshake, SSL_read() would only fail, for 11,700 instructions.
  const bool has_input = at_end || !in.empty() || SSL_has_pending(ssl_.get()) == 1;
  if (has_input) {
    // OpenSSL takes the header of a record, and then the rest: all at once where nothing is behind it.
    SSL_set_read_ahead(ssl_.get(), is_at_record_ && is_one_record(in.bytes()) ? 1 : 0);
    is_at_record_ = false;
  }
  if (has_input && read_error_ == 0 && to.empty()) {
    std::byte next{};
    std::size_t seen = 0;
    const int result = SSL_peek_ex(ssl_.get(), &next, 1, &seen);
    if (result == 1) {
      pending_ = static_cast<std::size_t>(SSL_pending(ssl_.get()));
      return {};
    }
    if (const int err = uncleared_failure(result); err != 0) end_reading(err);
  }
  std::size_t skip = given;
  bool is_full = has_input;
  for (const iovec& vector : to) {
    if (read_error_ != 0 || !is_full) break;
    const std::size_t begin = std::min(skip, vector.iov_len);
    skip -= begin;
    if (begin < vector.iov_len) is_full = read_into(vector, begin, given, in);
  }
  if (owes_goodbye_ && read_error_ == 0 && SSL_in_init(ssl_.get()) == 0) {
    owes_goodbye_ = false;
    clear_errors();
    send_close_notify();
  }
  pending_ = is_at_record_ ? 0 : static_cast<std::size_t>(SSL_pending(ssl_.get()));
  quiet_input_ = given != before ? 0 : quiet_input_ + static_cast<std::uint32_t>(input - in.size());
  if (quiet_input_ > most_quiet_input && read_error_ == 0)
    end_reading(fail(EPROTO, "the peer sends messages of the protocol, and no data"));
  answers_ = static_cast<std::uint32_t>((output != 0 ? answers_ : 0) + (out.size() - output));
  if (answers_ > most_answers && read_error_ == 0)
    end_reading(fail(EPROTO, "the peer asks for answers, and does not read them"));
  // What came before an error is given first.
  if (read_error_ != 0) return {.err = given == before ? read_error_ : 0};
  return {.input = is_full && !to.empty() ? 0U : 1U};
}

std::size_t OpenSslEngine::ready() const noexcept {
  const std::size_t early = awaits_early_data() ? early_data_->ready() : 0;
  return early != 0 ? early : pending_;
}

// ---- writing ----

// A client with early data is served before its last flight has come.
bool OpenSslEngine::is_client_unfinished() const noexcept {
  return context_->takes_early_data() && SSL_is_init_finished(ssl_.get()) == 0;
}

// Takes as much as `out` is to hold, in whole records. \return whether that is all
bool OpenSslEngine::write(std::span<const std::byte> bytes, std::size_t& taken,
                          const ByteBlock& out) noexcept {
  while (!bytes.empty() && out.size() < most_output) {
    const std::size_t records = std::max<std::size_t>(1, (most_output - out.size()) / largest_record);
    const std::size_t step = std::min(bytes.size(), records * largest_record);
    std::size_t written = 0;
    const int result = is_client_unfinished() ? SSL_write_early_data(ssl_.get(), bytes.data(), step, &written)
                                              : SSL_write_ex(ssl_.get(), bytes.data(), step, &written);
    if (result != 1) {
      write_error_ = uncleared_failure(result);
      // No write waits for input, and the end is that of reading alone.
      if (write_error_ == 0 || write_error_ == EPIPE) write_error_ = EPROTO;
      return false;
    }
    bytes = bytes.subspan(written);
    taken += written;
  }
  return bytes.empty();
}

Step OpenSslEngine::wrap(std::span<const iovec> from, std::size_t& taken, ByteBlock& out) noexcept {
  const TransferScope scope(transfer_, nullptr, false, &out);
  if (write_error_ != 0) return {.err = write_error_};
  clear_errors_in_handshake();
  const std::size_t before = taken;
  std::size_t left = 0;
  for (const iovec& vector : from) left += vector.iov_len;
  left -= taken;
  // The block gets its size once, not in steps that copy what is there.
  if (left > largest_record)
    static_cast<void>(
        out.room(std::min(left, most_output) + (most_output / largest_record + 1) * record_overhead));
  // Whole records, across the borders of vectors: the end of one is copied together with the beginning of the
  // next, which costs less than one record more. What comes in whole records is not copied.
  std::array<std::byte, largest_record> together;
  std::size_t filled = 0;
  std::size_t skip = taken;
  bool goes_on = true;
  for (const iovec& vector : from) {
    const std::size_t begin = std::min(skip, vector.iov_len);
    skip -= begin;
    std::span bytes(static_cast<const std::byte*>(vector.iov_base) + begin, vector.iov_len - begin);
    while (goes_on && !bytes.empty()) {
      std::size_t step = bytes.size();
      if (filled == 0 && (step >= largest_record || &vector == &from.back())) {
        if (&vector != &from.back()) step -= step % largest_record;
        goes_on = write(bytes.first(step), taken, out);
      } else {
        step = std::min(step, together.size() - filled);
        std::memcpy(together.data() + filled, bytes.data(), step);
        filled += step;
        if (filled == together.size())
          goes_on = write(std::span(together).first(std::exchange(filled, 0)), taken, out);
      }
      bytes = bytes.subspan(step);
    }
    if (!goes_on) break;
  }
  if (goes_on && filled != 0) write(std::span(together).first(filled), taken, out);
  return {.err = taken == before ? write_error_ : 0};
}

// ---- the end ----

int OpenSslEngine::end_writing(ByteBlock& out) noexcept {
  if (has_said_goodbye_) return 0;
  if (write_error_ != 0) return write_error_;
  const TransferScope scope(transfer_, nullptr, false, &out);
  clear_errors();
  has_said_goodbye_ = true;
  // Between the messages of the client's last flight OpenSSL does not say it; then it follows them.
  owes_goodbye_ = SSL_in_init(ssl_.get()) != 0;
  return owes_goodbye_ ? 0 : send_close_notify();
}

int OpenSslEngine::send_close_notify() noexcept {
  if (SSL_shutdown(ssl_.get()) >= 0) return write_error_;
  return write_error_ = write_failure();
}

bool OpenSslEngine::say_goodbye(ByteBlock& out) noexcept { return end_writing(out) == 0 && read_error_ == 0; }

}  // namespace tsock::inline v0::tls
