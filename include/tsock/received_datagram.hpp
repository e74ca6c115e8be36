#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <tsock/address.hpp>
#include <tsock/datagram_info.hpp>
#include <tsock/detail/datagram_block.hpp>
#include <tsock/export.hpp>
#include <tsock/temporary_bytes.hpp>
#include <utility>
#include <vector>

namespace tsock::inline v0 {

/// One received datagram in memory of exactly its size. Owns its bytes, which never move: a span over them
/// stays valid while the ReceivedDatagram lives, also when it is moved. Belongs to its loop's thread.
class TSOCK_EXPORT ReceivedDatagram {
 public:
  /// No datagram: no bytes, the empty address.
  ReceivedDatagram() noexcept = default;
  ReceivedDatagram(ReceivedDatagram&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  ReceivedDatagram& operator=(ReceivedDatagram&& other) noexcept {
    if (this != &other) {
      free();
      block_ = std::exchange(other.block_, nullptr);
    }
    return *this;
  }
  ReceivedDatagram(const ReceivedDatagram&) = delete;
  ReceivedDatagram& operator=(const ReceivedDatagram&) = delete;
  ~ReceivedDatagram() { free(); }

  /// May be empty: zero-length datagrams are legal.
  [[nodiscard]] std::span<const std::byte> bytes() const& noexcept { return all(); }
  [[nodiscard]] std::span<std::byte> bytes() & noexcept { return all(); }
  /// On a temporary: for a look before it is destroyed; no sendto takes them.
  [[nodiscard]] TemporaryBytes bytes() && noexcept { return TemporaryBytes{all()}; }
  [[nodiscard]] std::size_t size() const noexcept { return block_ != nullptr ? block_->size : 0; }
  /// The sender; the unnamed address for a unix socket that was not bound. Valid as long as the bytes.
  [[nodiscard]] const Address& source() const noexcept {
    return block_ != nullptr ? block_->source : detail::no_address;
  }
  /// What DatagramOptions::receive_info asked for; null without it. Valid as long as the bytes.
  [[nodiscard]] const DatagramInfo* info() const noexcept {
    return block_ != nullptr ? block_->info() : nullptr;
  }
  /// A copy of the bytes that is independent of the loop.
  [[nodiscard]] std::vector<std::byte> copy() const { return {bytes().begin(), bytes().end()}; }

 private:
  friend class DatagramAccess;

  [[nodiscard]] std::span<std::byte> all() const noexcept {
    return block_ != nullptr ? std::span(block_->data(), block_->size) : std::span<std::byte>();
  }
  void free() noexcept {
    if (block_ != nullptr) detail::free_datagram_block(*std::exchange(block_, nullptr));
  }

  detail::DatagramBlock* block_ = nullptr;
};

/// The result of `Datagram::recvfrom()` into the caller's buffers.
struct ReceivedInto {
  std::size_t size = 0;    ///< bytes in the caller's buffers
  std::size_t length = 0;  ///< bytes of the whole datagram
  Address source;
  std::optional<DatagramInfo> info;  ///< with DatagramOptions::receive_info
  /// True if the datagram did not fit; the rest of it is lost.
  [[nodiscard]] bool truncated() const noexcept { return length > size; }
};

}  // namespace tsock::inline v0
