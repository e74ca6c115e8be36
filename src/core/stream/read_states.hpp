#pragma once

#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <tsock/detail/inline_function.hpp>
#include <tsock/detail/next_vector_call.hpp>
#include <tsock/detail/prefix_format.hpp>
#include <tsock/framing.hpp>
#include <tsock/pdu.hpp>
#include <tsock/vector_list.hpp>
#include <utility>

#include "core/loop/receive_buffer.hpp"
#include "core/loop/vector_cursor.hpp"
#include "core/stream/pdu_access.hpp"
#include "core/stream/stream_base.hpp"
#include "core/stream/stream_operation.hpp"

namespace tsock::inline v0::detail {

/// Fills all of the caller's vectors.
class ReadvState : public ResultState<ssize_t, StreamRead> {
 public:
  ReadvState(LoopCore& core, CallSite site) : ResultState(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return "readv"; }
  void set_vectors(std::span<const iovec> vectors) { cursor_.assign(core(), vectors); }

  std::size_t feed(std::span<const std::byte> bytes) final;
  std::size_t space(std::span<iovec> out) final { return cursor_.ahead(out); }
  void advance(std::size_t bytes) final;
  void give_back(StreamReadSide& stream) override;
  void at_end(int /*err*/, StreamReadSide& /*stream*/) override {}
  /// Not after a long read: what follows is usually long, too, and would be copied.
  [[nodiscard]] bool wants_read_ahead() const noexcept override { return transferred() < long_read; }

 private:
  static constexpr std::size_t long_read = std::size_t{64} * 1024;
  void check_done();
  VectorCursor cursor_;
};

/// Reads what is there, at least one byte.
class ReadSomeState : public ResultState<ssize_t, StreamRead> {
 public:
  ReadSomeState(LoopCore& core, CallSite site) : ResultState(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return "read_some"; }
  void set_buffer(std::span<std::byte> buffer) noexcept { buffer_ = buffer; }

  std::size_t feed(std::span<const std::byte> bytes) final;
  std::size_t space(std::span<iovec> out) final;
  void advance(std::size_t bytes) final;
  void give_back(StreamReadSide& stream) override;
  void at_end(int /*err*/, StreamReadSide& /*stream*/) override {}
  [[nodiscard]] bool wants_read_ahead() const noexcept override { return buffer_.size() < 4096; }

 private:
  std::span<std::byte> buffer_;
};

/// Reads one message of a length-prefixed framing. Until there is room for the message, the Pdu keeps the
/// framing in the place of its extent.
class PrefixedPduState : public ResultState<Pdu, StreamRead> {
 public:
  static constexpr StateCache::Kind cached_as = StateCache::prefixed_pdu;
  PrefixedPduState(LoopCore& core, CallSite site, PrefixFormat format) noexcept : ResultState(core, site) {
    expect(format);
    mark(buffered);
  }
  [[nodiscard]] const char* name() const noexcept override { return "readv_pdu"; }

  std::size_t feed(std::span<const std::byte> bytes) final;
  std::size_t space(std::span<iovec> out) final;
  void advance(std::size_t bytes) final;
  void give_back(StreamReadSide& stream) override;
  void at_end(int err, StreamReadSide& stream) override;

  /// Sets the framing. \pre nothing of the message was read yet
  void expect(PrefixFormat format) noexcept {
    PduAccess::set_note(value_, std::bit_cast<std::uint64_t>(format));
  }
  /// Leaves the message in the chunk that was read into last. The caller does everything else.
  [[gnu::always_inline]] void place_message(std::byte* place, std::uint32_t size,
                                            std::uint32_t header_size) noexcept {
    PduAccess::place(value_, place, size, header_size);
  }

 protected:
  /// Whether the destructor would find nothing to do.
  [[nodiscard]] bool has_nothing_to_destroy() const noexcept {
    return PduAccess::is_bare(value_) && !has_callback();
  }

 private:
  /// The framing. \pre the message has no room yet
  [[nodiscard]] PrefixFormat format() const noexcept {
    return std::bit_cast<PrefixFormat>(PduAccess::note(value_));
  }
  bool reserve(std::uint32_t size, std::size_t here);
  [[gnu::noinline]] void grow();
  void take_header(std::size_t bytes, std::size_t behind);
  void take(std::size_t bytes);
  /// Where the next bytes of the message go; never empty while the message is incomplete. \pre the header is
  /// known
  [[nodiscard]] std::span<std::byte> room() noexcept;
  /// The bytes of the header while the size is not known; they are kept in `spare_word()`.
  [[nodiscard]] std::byte* header() noexcept { return reinterpret_cast<std::byte*>(&spare_word()); }
  /// The size of the whole message; 0 until the header is known.
  [[nodiscard]] std::uint32_t size() const noexcept { return PduAccess::size(value_); }
  bool keep_all(const std::byte* bytes, std::uint32_t size) noexcept;
  [[gnu::noinline]] bool copy_all(const std::byte* bytes, std::uint32_t size) noexcept;
  std::size_t feed_part(std::span<const std::byte> bytes);
};

/// Reads one message that ends with a delimiter.
class DelimitedPduState : public ResultState<Pdu, StreamRead> {
 public:
  DelimitedPduState(LoopCore& core, CallSite site, const Framing& framing) noexcept
      : ResultState(core, site), framing_(framing) {}
  [[nodiscard]] const char* name() const noexcept override { return "readv_pdu"; }

  std::size_t feed(std::span<const std::byte> bytes) final;
  std::size_t space(std::span<iovec> out) final;
  void advance(std::size_t bytes) final;
  void give_back(StreamReadSide& stream) override;
  void at_end(int err, StreamReadSide& stream) override;

 private:
  [[nodiscard]] std::size_t longest() const noexcept {
    return framing_.max_body + framing_.delimiter_size + (framing_.strip_carriage_return ? 1U : 0U);
  }
  [[nodiscard]] bool is_too_long() noexcept;
  bool reserve(std::size_t size);
  void append(std::span<const std::byte> bytes);
  void check_tail();

  Framing framing_;
  std::size_t got_ = 0;
  std::byte next_{};
  bool has_next_ = false;
};

/// Reads a message whose vectors the user's function supplies.
class NextVectorState : public ResultState<ssize_t, StreamRead> {
 public:
  NextVectorState(LoopCore& core, CallSite site) : ResultState(core, site) {
    mark(asking);
    unmark(plain_delivery);
  }
  [[nodiscard]] const char* name() const noexcept override { return "readv_pdu"; }
  ~NextVectorState() override { free_history(); }
  void set_function(InlineFunction function) noexcept { next_vector_ = std::move(function); }

  std::size_t feed(std::span<const std::byte> bytes) final;
  std::size_t space(std::span<iovec> out) final { return cursor_.ahead(out); }
  void advance(std::size_t bytes) final;
  void give_back(StreamReadSide& stream) override;
  void at_end(int /*err*/, StreamReadSide& /*stream*/) override {}

 private:
  // Earlier vectors belong to the caller again, so an interrupted message is given back from a copy.
  static constexpr std::size_t longest_history = std::size_t{64} * 1024;

  void begin_reading() override { ask(); }
  void begin() override;
  void on_delivery() noexcept override;
  void ask();
  void check_done();
  void remember();
  void free_history() noexcept;

  InlineFunction next_vector_;
  VectorCursor cursor_;
  std::byte* history_ = nullptr;
  std::size_t history_size_ = 0;
  std::size_t history_capacity_ = 0;
  bool history_lost_ = false;
};

// Leaves a message that is there as a whole where it is, if that is the loop's receive buffer, and copies it
// otherwise. Returns false when out of memory.
[[gnu::always_inline]] inline bool PrefixedPduState::keep_all(const std::byte* bytes,
                                                              std::uint32_t size) noexcept {
  if (!core().leases().receive_buffer().may_stay(bytes, size)) [[unlikely]]
    return copy_all(bytes, size);
  core().leases().keep_message();
  // The cast is safe: the memory is the loop's, and nothing else refers to this part of it.
  PduAccess::place(value_, const_cast<std::byte*>(bytes), size, format().header_size());
  return true;
}

[[gnu::always_inline]] inline std::size_t PrefixedPduState::feed(std::span<const std::byte> bytes) {
  // The usual case: nothing of the message was read before, and all of it is there.
  if (transferred() == 0) [[likely]] {
    const std::uint32_t size = format().message_size(bytes);
    if (size <= bytes.size() && keep_all(bytes.data(), size)) [[likely]] {
      add_transferred(size);
      finish_here(0);
      return size;
    }
  }
  return feed_part(bytes);
}

}  // namespace tsock::inline v0::detail
