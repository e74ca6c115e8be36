#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tsock/layer/byte_block.hpp>
#include <tsock/socket_control.hpp>

#include "tls/openssl.hpp"
#include "tls/traffic_keys.hpp"

namespace tsock::inline v0::tls {

/// What is noted of a connection so that the kernel can go on with its sending side, and how OpenSSL's own
/// messages are sent from then on: OpenSSL goes on to wrap them for nobody, and their content goes to the
/// kernel, each behind its type and its size in the block of output.
class KernelSender {
 public:
  KernelSender() noexcept = default;
  KernelSender(const KernelSender&) = delete;
  KernelSender& operator=(const KernelSender&) = delete;
  ~KernelSender() { layer::wipe(secret_); }

  /// A line of OpenSSL's key log: the secret with which this side sends in TLS 1.3 has come to be used.
  void note_key_log(std::string_view line, bool is_server) noexcept;
  /// OpenSSL has wrapped a record. \param type on the outside
  void note_record(std::uint8_t type) noexcept;
  /// \return whether the keys of the next record are known
  [[nodiscard]] bool find_keys(SSL& ssl, TrafficKeys& keys) const noexcept;

  /// Gives the keys to the kernel, and what OpenSSL wraps to nobody. \return whether the kernel takes them;
  /// if not, nothing has changed
  [[nodiscard]] bool take_over(SSL& ssl, SocketControl& socket) noexcept;
  [[nodiscard]] bool has_taken_over() const noexcept { return has_taken_over_; }

  /// Appends a message for `send()`. \return false without memory
  [[nodiscard]] static bool put(std::uint8_t type, std::span<const std::byte> content,
                                layer::ByteBlock& out) noexcept;
  /// \return as `StreamBackend::try_writev()`: all messages, those that find room, or EAGAIN
  [[nodiscard]] static ssize_t send(SocketControl& socket, std::span<const std::byte> messages,
                                    int& err) noexcept;

 private:
  std::array<std::byte, EVP_MAX_MD_SIZE> secret_{};
  std::size_t secret_size_ = 0;
  std::uint64_t records_ = 0;  // wrapped with the keys in use
  bool has_taken_over_ = false;
};

}  // namespace tsock::inline v0::tls
