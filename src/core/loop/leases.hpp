#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "core/loop/loop_resource.hpp"
#include "core/loop/receive_buffer.hpp"
#include "core/loop/unread_bytes.hpp"

namespace tsock::inline v0::detail {

class LoopCore;
class ReceiveBatch;

/// Notes which resource, one at a time, keeps data that it has received in memory of the loop. The lease
/// lasts until the end of the turn at most.
class Lease {
 public:
  void give_to(LoopResource& holder) noexcept { holder_ = &holder; }
  [[nodiscard]] bool is_held_by(const LoopResource& resource) const noexcept { return holder_ == &resource; }
  void end_for(const LoopResource& resource) noexcept {
    if (holder_ == &resource) holder_ = nullptr;
  }
  /// Makes the holder, if there is one, move its data out.
  void clear() noexcept {
    if (holder_ != nullptr) std::exchange(holder_, nullptr)->move_out_of_lease();
  }
  void clear_unless_of(const LoopResource& user) noexcept {
    if (holder_ != &user) clear();
  }
  void drop() noexcept { holder_ = nullptr; }

 private:
  LoopResource* holder_ = nullptr;
};

/// The memory that all resources of a loop use in turn: the buffers that streams and datagram sockets receive
/// into, and the one in which small writes are gathered.
class Leases {
 public:
  static constexpr std::size_t send_buffer_size = std::size_t{64} * 1024;

  explicit Leases(LoopCore* core) noexcept;
  Leases(const Leases&) = delete;
  Leases& operator=(const Leases&) = delete;
  ~Leases();

  // The receive buffer, which is leased to one stream at a time.
  /// The buffer for a read by `user`; another stream's unread bytes move to that stream first. Empty when out
  /// of memory.
  std::span<std::byte> borrow_receive_buffer(const LoopResource& user) noexcept {
    bytes_lease_.clear_unless_of(user);
    return receive_buffer_.room();
  }
  [[nodiscard]] ReceiveBuffer& receive_buffer() noexcept { return receive_buffer_; }
  /// From now on, `leased_bytes()` are the bytes of `user` in the receive buffer.
  void lease_receive_buffer(LoopResource& user) noexcept { bytes_lease_.give_to(user); }
  [[nodiscard]] UnreadBytes& leased_bytes() noexcept { return leased_bytes_; }
  /// Whether `user` has unread bytes in the receive buffer; `LoopCore::drain_is_due()` is true then.
  [[nodiscard]] bool leases_to(const LoopResource& user) const noexcept {
    return bytes_lease_.is_held_by(user);
  }
  void end_lease(const LoopResource& user) noexcept {
    bytes_lease_.end_for(user);
    receive_buffer_.lease_ended();
  }
  /// Counts a message that stays in the chunk that was read into last.
  [[gnu::always_inline]] void keep_message() noexcept {
    if (receive_buffer_.add_message()) [[unlikely]]
      ++held_chunks_;
  }
  /// Called when the last message of a chunk is gone; see `LoopCore::chunk_is_free()`.
  void chunk_is_free(ReceiveChunk& chunk) noexcept {
    receive_buffer_.chunk_is_free(chunk);
    --held_chunks_;
  }
  /// Number of chunks that messages hold.
  [[nodiscard]] std::size_t held_chunks() const noexcept { return held_chunks_; }

  // The batch, which is leased to one datagram socket at a time.
  /// The room for `user` to receive a batch of datagrams; another socket's datagrams in it move to that
  /// socket first.
  ReceiveBatch& borrow_receive_batch(const LoopResource& user);
  void lease_receive_batch(LoopResource& user) noexcept { batch_lease_.give_to(user); }
  void end_batch_lease(const LoopResource& user) noexcept { batch_lease_.end_for(user); }

  /// The buffer in which many small vectors become one write; valid during one flush. Empty when out of
  /// memory.
  std::span<std::byte> send_buffer() noexcept;

  /// Called at the end of the turn: makes the holders of the leases move their data out.
  void clear() noexcept {
    bytes_lease_.clear();
    batch_lease_.clear();
  }
  /// Called when the loop ends, after its resources have let go.
  void drop() noexcept {
    bytes_lease_.drop();
    batch_lease_.drop();
  }

 private:
  Lease bytes_lease_;
  UnreadBytes leased_bytes_;
  ReceiveBuffer receive_buffer_;
  std::size_t held_chunks_ = 0;
  Lease batch_lease_;
  std::unique_ptr<ReceiveBatch> batch_;
  std::unique_ptr<std::byte[]> send_buffer_;
};

}  // namespace tsock::inline v0::detail
