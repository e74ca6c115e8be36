#pragma once

#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <tsock/buffer.hpp>
#include <tsock/native_socket.hpp>

#include "uv/os/socket.hpp"

namespace tsock::inline v0::detail {

/// Reads messages with borders from a socket as a stream: the system drops what a read has no room for, so
/// the rest of a message that is longer than the read is kept for the next one.
class MessageReader {
 public:
  /// Bytes that are left of the message in front; 0 at the end, -1 with `err`: EAGAIN, or EIO for a message
  /// without a byte.
  ssize_t left_of_message(NativeSocket socket, int& err) noexcept {
    if (kept_ != nullptr) return static_cast<ssize_t>(kept().size());
    const ssize_t size = os::next_message(socket, err);
    is_empty_ = size < 0 && err == EIO;
    return size;
  }
  /// As `StreamBackend::try_readv()`. `receive(vectors, err)` takes a message from the socket; the vectors
  /// have room for it.
  template <class Receive>
  ssize_t readv(NativeSocket socket, std::span<const iovec> vectors, int& err, Receive receive) noexcept {
    const ssize_t left = left_of_message(socket, err);
    if (left <= 0) return left;
    if (kept_ != nullptr) return take_kept(vectors);
    const auto size = static_cast<std::size_t>(left);
    if (has_room(vectors, size)) return receive(vectors, err);
    kept_.reset(new (std::nothrow) std::byte[size]);
    if (kept_ == nullptr) {
      err = ENOMEM;
      return -1;
    }
    const iovec all{kept_.get(), size};
    const ssize_t got = receive(std::span(&all, 1), err);
    if (got <= 0) {
      kept_.reset();
      return got;
    }
    begin_ = 0;
    end_ = static_cast<std::size_t>(got);
    return take_kept(vectors);
  }
  [[nodiscard]] std::span<const std::byte> kept() const noexcept {
    return kept_ != nullptr ? std::span(kept_.get() + begin_, end_ - begin_) : std::span<std::byte>();
  }
  /// Whether the last message that was looked at has no byte.
  [[nodiscard]] bool is_empty() const noexcept { return is_empty_; }

 private:
  static bool has_room(std::span<const iovec> vectors, std::size_t size) noexcept;
  ssize_t take_kept(std::span<const iovec> vectors) noexcept;

  std::unique_ptr<std::byte[]> kept_;  // of one message; null when nothing is left of it
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool is_empty_ = false;
};

}  // namespace tsock::inline v0::detail
