#pragma once

#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string_view>
#include <tsock/layer/byte_block.hpp>
#include <tsock/layer/wrapped_message.hpp>
#include <tsock/stream_backend.hpp>

#include "core/stream/forwarding_backend.hpp"
#include "layer/length_format.hpp"

namespace tsock::inline v0::layer {

/// A stream of messages, each of which is the user's bytes behind their length: what a RecordEngine of plain
/// messages leaves in its place. It keeps the borders (StreamTraits::message_size), and no memory while
/// nothing waits: what has come lies on the stack until the reader has made room for it, and messages that
/// the stream below takes at once are never copied into a block.
class FramedStream final : public detail::ForwardingBackend<StreamBackend> {
 public:
  /// \param format of messages that are not empty
  /// \param unread what was read ahead of the stream below
  /// \param memory outlives the stream
  /// Throws std::bad_alloc; `below` is lost then.
  FramedStream(std::unique_ptr<StreamBackend> below, const LengthFormat& format,
               std::span<const std::byte> unread, std::pmr::memory_resource& memory);

  ssize_t try_readv(std::span<const iovec> to, int& err) noexcept override;
  ssize_t try_read_message(MessageRoom& room, int& err) noexcept override;
  ssize_t try_writev(std::span<const iovec> from, int& err) noexcept override;
  ssize_t try_write_messages(std::span<const iovec> messages, int& err) noexcept override;
  int try_flush() noexcept override;
  [[nodiscard]] std::size_t unsent_bytes() const noexcept override;
  int try_shutdown_write() noexcept override { return ENOTSUP; }
  int try_disconnect(Linger& linger) noexcept override;
  [[nodiscard]] Readiness want_readable() noexcept override;
  [[nodiscard]] Readiness want_writable() noexcept override;
  std::size_t pending_bytes(int& err) noexcept override;
  [[nodiscard]] StreamTraits traits() const noexcept override;
  [[nodiscard]] std::string_view reason() const noexcept override;

 private:
  /// The message at the front of some input.
  struct Message {
    std::size_t body = 0;
    std::size_t missing = 0;  ///< not 0: it is complete once so many bytes of input are there
    bool is_refused = false;
  };

  [[nodiscard]] Message find(std::span<const std::byte> in) const noexcept;
  bool open_next(int& err) noexcept;
  bool pull(std::size_t wanted, int& err) noexcept;
  void keep_input(std::span<const std::byte> bytes) noexcept;
  std::optional<ssize_t> read_fresh_message(MessageRoom& room, int& err) noexcept;
  ssize_t send_one(const iovec& message, int& err) noexcept;
  ssize_t send_copied(std::span<const iovec> messages, std::size_t plain, int& err) noexcept;
  ssize_t send_in_place(std::span<const iovec> messages, std::size_t plain, int& err) noexcept;
  ssize_t send(std::span<const iovec> framed, std::span<const iovec> messages, std::size_t plain,
               int& err) noexcept;
  void keep_unsent(std::span<const iovec> framed, std::span<const iovec> messages, std::size_t sent,
                   std::size_t size) noexcept;
  ssize_t write_parts(std::span<const iovec> from, int& err) noexcept;
  int push() noexcept;
  bool waits_for_peer(Linger& linger) noexcept;
  void note_passed(std::span<const iovec> messages, std::size_t bytes) noexcept;
  void note_passed(std::span<const std::byte> out, std::size_t bytes) noexcept;

  // In the order of their use, so that a message touches few lines of the cache.
  LengthFormat format_;
  std::size_t header_;      // bytes of a length
  ByteBlock in_;            // from the peer, not given yet
  std::size_t rest_ = 0;    // of the message that was opened, all of which is at the front of `in_`
  std::size_t pulled_ = 0;  // by the last read into the empty block
  int read_error_ = 0;
  int write_error_ = 0;
  bool below_is_final_;  // a short read of the stream below is its last for now
  bool below_reads_ahead_;
  bool at_end_ = false;             // of the stream below
  bool comes_with_others_ = false;  // the last message: a block for all of them costs less than copying them
  bool has_more_input_ = false;     // to be discarded
  bool is_closing_ = false;
  bool is_cut_ = false;      // by the end of the time to disconnect
  ByteBlock out_;            // messages that the stream below has not taken; empty as a rule
  std::size_t unsent_ = 0;   // bytes of the user since all had left
  std::size_t waiting_ = 0;  // of these, in messages that the stream below has not taken whole
  WrappedMessage partly_;    // what the stream below has not taken of the message that it has begun
  std::string_view reason_;
  std::array<char, 96> text_{};
};

}  // namespace tsock::inline v0::layer
