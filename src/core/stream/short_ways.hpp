#pragma once

// The short ways: how nearly every message is read and written. Included by stream_reads.cpp and
// stream_writes.cpp only.
//
// Each of these functions first checks and then acts. It checks a few words, which lie together for this
// purpose, and if it finds anything but the plain case it returns null and has done nothing: the caller then
// takes the general way (`StreamReadSide::start_read()` and `StreamWriteSide::start_write()`), which checks
// everything, reports the error, and does the same where nothing is wrong. After the checks it acts without
// calling a function, so that it needs no stack frame, and the state reaches the Request in a register.
//
// begin_leased_read(): the whole message is in the receive buffer. The read begins its life finished.
//
// begin_waiting_read(): nothing has come yet. The read becomes the reader and waits for its first byte.
//
// begin_plain_write(): one vector, alone or behind others of its queue, on a stream that nothing holds up. As
// a StreamWrite the vector is the caller's, as a PduWrite it is a message that the write owns.
//
// begin_waiting_message() and begin_message_write(): the last two where writes are messages. They are tried
// when the others have failed, so that streams of bytes have no cost of them.
//
// What keeps the checks short:
//   - A state comes out of the StateCache. The cache is empty while the loop is traced and once it is closed,
//     so neither needs a check, and only what `begin_again()` has to set is set in the state.
//   - A lease says that the stream is open and that no error has been latched for reads: whatever closes the
//     stream or latches an error of its bytes frees the unread bytes, and with them the lease. (An error of
//     the connection comes behind the bytes.)
//   - All that a write checks are bits of one word (StreamFlags): one test covers the stream.
//   - While `drain_is_due()`, which a lease implies, the lists of the loop need no wake-up.
//
// Each rule is in one predicate, which the general way uses, too: `may_begin_read()`, `must_wait()` and
// `may_begin_write()`. Where a short way knows the answer from something else, it asserts the predicate, so
// that a rule that is changed there and not here fails in debug builds.

#include <cassert>

#include "core/loop/recyclable.hpp"
#include "core/stream/message_state.hpp"
#include "core/stream/read_states.hpp"
#include "core/stream/stream_core.hpp"
#include "core/stream/write_state.hpp"

namespace tsock::inline v0::detail {

// Instantiated twice: for the usual prefix, four bytes in network order, the leaf function needs 2.6 % fewer
// instructions for a message (64 connections with 32 messages each) than one that handles all prefixes.
template <bool u32be>
[[gnu::always_inline]] inline PrefixedPduState* StreamReadSide::begin_leased_read(PrefixFormat format,
                                                                                  CallSite site) noexcept {
  if (receiver_ != nullptr || !core_->leases().leases_to(*this)) [[unlikely]]
    return nullptr;
  UnreadBytes& bytes = core_->leases().leased_bytes();
  const std::uint32_t size =
      u32be ? format.message_size_u32be(bytes.bytes()) : format.message_size(bytes.bytes());
  if (size > bytes.size() || !core_->leases().receive_buffer().may_stay(size)) [[unlikely]]
    return nullptr;
  auto* const read = core_->state_cache().first<PrefixedPduState>();
  if (read == nullptr) [[unlikely]]
    return nullptr;
  assert(may_begin_read() && !must_wait() && core_->drain_is_due());

  core_->state_cache().take(StateCache::prefixed_pdu);
  core_->leases().keep_message();
  read->begin_again(*core_, site, ReadyNode::Phase::finished,
                    RequestState::marks(RequestState::plain_delivery), size);
  read->place_message(bytes.begin, size, u32be ? PrefixFormat::u32be_size : format.header_size());
  read->set_stream(this);
  receiver_ = read;
  bytes.begin += size;
  if (bytes.begin == bytes.end) {
    core_->leases().end_lease(*this);
    unread_ = nullptr;
  }
  core_->list_ready(*read);
  return read;
}

[[gnu::always_inline]] inline PrefixedPduState* StreamReadSide::begin_waiting_read(PrefixFormat format,
                                                                                   CallSite site) noexcept {
  auto* const read = begin_waiting<PrefixedPduState>(
      RequestState::marks(RequestState::plain_delivery, StreamRead::buffered), site);
  if (read != nullptr) read->expect(format);
  return read;
}

[[gnu::always_inline]] inline MessageState* StreamReadSide::begin_waiting_message(CallSite site) noexcept {
  if (!has_messages()) return nullptr;
  return begin_waiting<MessageState>(RequestState::marks(RequestState::plain_delivery), site);
}

template <class Read>
[[gnu::always_inline]] inline Read* StreamReadSide::begin_waiting(RequestState::MarkSet marks,
                                                                  CallSite site) noexcept {
  if (!may_begin_read() || !must_wait()) return nullptr;
  auto* const read = core_->state_cache().first<Read>();
  if (read == nullptr || !core_->drain_is_due()) return nullptr;

  core_->state_cache().take(Read::cached_as);
  read->begin_again(*core_, site, ReadyNode::Phase::in_progress, marks, 0);
  read->set_stream(this);
  receiver_ = read;
  return read;
}

template <class Write>
[[gnu::always_inline]] inline Write* StreamWriteSide::begin_plain_write(QueueCore* queue, const iovec& vector,
                                                                        CallSite site) noexcept {
  if (vector.iov_len - 1 >= most_bytes || flags_.has_any(hindrances)) [[unlikely]]
    return nullptr;
  return begin_write_behind<Write>(queue, vector, site);
}

template <class Write>
[[gnu::always_inline]] inline Write* StreamWriteSide::begin_message_write(QueueCore* queue,
                                                                          const iovec& vector,
                                                                          CallSite site) noexcept {
  if (!has_messages() || flags_.has_any(message_hindrances)) return nullptr;
  if (vector.iov_len == 0 || vector.iov_len >> flags_.message_width != 0) return nullptr;
  auto* const write = begin_write_behind<Write>(queue, vector, site);
  if (write != nullptr) [[likely]]
    flags_.writes_adjoin = false;
  return write;
}

template <class Write>
[[gnu::always_inline]] inline Write* StreamWriteSide::begin_write_behind(QueueCore* queue,
                                                                         const iovec& vector,
                                                                         CallSite site) noexcept {
  if ((queue != nullptr && !queue->goes_on_with(this)) || is_writing_for_another(queue)) [[unlikely]]
    return nullptr;
  auto* const write = core_->state_cache().first<Write>();
  if (write == nullptr || !core_->drain_is_due()) [[unlikely]]
    return nullptr;
  assert(may_begin_write(queue));

  core_->state_cache().take(Write::cached_as);
  write->begin_again(
      *core_, site, ReadyNode::Phase::in_progress,
      queue != nullptr ? RequestState::marks(QueueableState::started) : RequestState::MarkSet::none, 0);
  write->set_vector(vector);
  if (queue != nullptr) queue->add_following(*write);
  place_write(*write);
  core_->add_output(vector.iov_len);
  if (!flags_.flush_scheduled) {
    core_->list_flush(*this);
    flags_.flush_scheduled = true;
  }
  return write;
}

}  // namespace tsock::inline v0::detail
