#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <tsock/address.hpp>
#include <tsock/datagram_info.hpp>
#include <vector>

namespace tsock {

namespace detail {
class LoopCore;
}

/// One received datagram in memory of exactly its size. Owns its bytes, which never move. Belongs to its
/// loop's thread.
class ReceivedDatagram {
 public:
  ReceivedDatagram() noexcept = default;
  ReceivedDatagram(ReceivedDatagram&& other) noexcept;
  ReceivedDatagram& operator=(ReceivedDatagram&& other) noexcept;
  ReceivedDatagram(const ReceivedDatagram&) = delete;
  ReceivedDatagram& operator=(const ReceivedDatagram&) = delete;
  ~ReceivedDatagram();

  /// May be empty: zero-length datagrams are legal.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  [[nodiscard]] std::span<std::byte> bytes() noexcept { return {data_, size_}; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Who sent it; the unnamed address for a unix socket that was not bound.
  [[nodiscard]] const Address& source() const noexcept { return source_; }
  /// What DatagramOptions::receive_info asked for; null without it.
  [[nodiscard]] const DatagramInfo* info() const noexcept { return info_; }
  /// A copy of the bytes that is independent of the loop.
  [[nodiscard]] std::vector<std::byte> copy() const { return {bytes().begin(), bytes().end()}; }

 private:
  friend class DatagramAccess;
  void free() noexcept;

  detail::LoopCore* core_ = nullptr;
  std::byte* data_ = nullptr;
  std::uint32_t capacity_ = 0;
  std::uint32_t size_ = 0;
  Address source_;
  DatagramInfo* info_ = nullptr;
};

/// What `Datagram::recvfrom()` into the caller's buffers gives.
struct ReceivedInto {
  std::size_t size = 0;    ///< bytes in the caller's buffers
  std::size_t length = 0;  ///< bytes that the datagram had
  Address source;
  std::optional<DatagramInfo> info;  ///< with DatagramOptions::receive_info
  /// The datagram did not fit; the rest of it is gone.
  [[nodiscard]] bool truncated() const noexcept { return length > size; }
};

}  // namespace tsock
