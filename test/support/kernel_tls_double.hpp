#pragma once

#include <linux/sockios.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "support/syscall_injector.hpp"
#include "support/tls_records.hpp"

namespace tsock::test {

/// The part of a kernel with CONFIG_TLS that sends, for the sockets of this thread: it takes keys by
/// setsockopt(), and wraps with them what is written. It keeps nothing: a record is made when the socket has
/// room for it, a large one when nothing waits in there.
class KernelTlsDouble final : public SubstituteKernel {
 public:
  /// What of the calls that have to do with TLS fails, and how.
  struct Refusals {
    int protocol = 0;  ///< TCP_ULP
    int keys = 0;      ///< TLS_TX
  };
  explicit KernelTlsDouble(Refusals refusals) noexcept : refusals_(refusals) {}
  KernelTlsDouble() noexcept : KernelTlsDouble(Refusals{}) {}
  ~KernelTlsDouble() = default;

  /// Has no room for anything, whatever it has said.
  void set_full(bool full) noexcept { is_full_ = full; }
  /// How often it was asked for TLS on a TCP socket.
  [[nodiscard]] unsigned asked() const noexcept { return asked_; }
  /// Records that it has wrapped, and of these those that are not the user's.
  [[nodiscard]] unsigned records() const noexcept { return records_; }
  [[nodiscard]] unsigned control_records() const noexcept { return control_records_; }
  /// Writes that found no room for all.
  [[nodiscard]] unsigned blocked() const noexcept { return blocked_; }

  std::optional<int> setsockopt(int fd, int level, int name, std::span<const std::byte> value) override {
    if (level == IPPROTO_TCP && name == TCP_ULP) {
      if (!is_tcp(fd)) return std::nullopt;
      ++asked_;
      if (refusals_.protocol != 0) return fail(refusals_.protocol);
      BOOST_TEST((value.size() == 4 && std::memcmp(value.data(), "tls", 4) == 0));
      if (!sockets_.try_emplace(fd).second) return fail(EEXIST);
      return 0;
    }
    if (level != SOL_TLS) return std::nullopt;
    const auto socket = sockets_.find(fd);
    if (socket == sockets_.end() || name != TLS_TX) return fail(ENOPROTOOPT);
    if (refusals_.keys != 0) return fail(refusals_.keys);
    if (socket->second) return fail(EBUSY);
    return take_keys(value, socket->second) ? 0 : fail(EINVAL);
  }

  std::optional<ssize_t> sendmsg(int fd, const ::msghdr& message, int flags) override {
    const auto socket = sockets_.find(fd);
    if (socket == sockets_.end() || !socket->second) return std::nullopt;
    constexpr int known_flags = MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL;
    if ((flags & ~known_flags) != 0) return fail(EOPNOTSUPP);
    std::uint8_t type = 23;
    if (message.msg_controllen != 0) {
      const cmsghdr* const header = CMSG_FIRSTHDR(&message);
      if (header == nullptr || header->cmsg_level != SOL_TLS || header->cmsg_type != TLS_SET_RECORD_TYPE ||
          header->cmsg_len != CMSG_LEN(1))
        return fail(EINVAL);
      std::memcpy(&type, CMSG_DATA(header), 1);
    }
    std::vector<std::byte> content;
    for (std::size_t i = 0; i != message.msg_iovlen; ++i) {
      const auto* const begin = static_cast<const std::byte*>(message.msg_iov[i].iov_base);
      content.insert(content.end(), begin, begin + message.msg_iov[i].iov_len);
    }
    return send_records(fd, *socket->second, type, content);
  }

  void forget(int fd) noexcept override { sockets_.erase(fd); }

 private:
  // A socket to which poll() lets one write has room for a small record, and an empty one for each.
  static constexpr std::size_t largest_content = 16384;
  static constexpr std::size_t small_content = 1000;

  static int fail(int error) noexcept {
    errno = error;
    return -1;
  }
  static bool is_tcp(int fd) noexcept {
    int protocol = 0;
    socklen_t size = sizeof(protocol);
    return ::getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == IPPROTO_TCP;
  }

  static bool take_keys(std::span<const std::byte> value, std::optional<TlsRecords>& records) {
    tls_crypto_info info{};
    if (value.size() < sizeof(info)) return false;
    std::memcpy(&info, value.data(), sizeof(info));
    switch (info.cipher_type) {
      case TLS_CIPHER_AES_GCM_128:
        return take_keys<tls12_crypto_info_aes_gcm_128>(EVP_aes_128_gcm(), value, records);
      case TLS_CIPHER_AES_GCM_256:
        return take_keys<tls12_crypto_info_aes_gcm_256>(EVP_aes_256_gcm(), value, records);
      case TLS_CIPHER_CHACHA20_POLY1305:
        return take_keys<tls12_crypto_info_chacha20_poly1305>(EVP_chacha20_poly1305(), value, records);
      default:
        return false;
    }
  }
  template <class Info>
  static bool take_keys(const EVP_CIPHER* cipher, std::span<const std::byte> value,
                        std::optional<TlsRecords>& records) {
    if (value.size() != sizeof(Info)) return false;
    Info info{};
    std::memcpy(&info, value.data(), sizeof(info));
    if (info.info.version != TLS_1_2_VERSION && info.info.version != TLS_1_3_VERSION) return false;
    std::array<std::byte, 12> nonce{};
    std::memcpy(nonce.data(), info.salt, sizeof(info.salt));
    std::memcpy(nonce.data() + sizeof(info.salt), info.iv, sizeof(info.iv));
    std::uint64_t sequence = 0;
    for (const unsigned char byte : info.rec_seq) sequence = sequence << 8U | byte;
    records.emplace(info.info.version == TLS_1_3_VERSION ? tls::Version::tls1_3 : tls::Version::tls1_2,
                    cipher, std::as_bytes(std::span(info.key)), nonce, sequence);
    return true;
  }

  static std::size_t most_content(int fd) noexcept {
    int unsent = 0;
    return ::ioctl(fd, SIOCOUTQ, &unsent) == 0 && unsent == 0 ? largest_content : small_content;
  }
  static bool has_room(int fd) noexcept {
    ::pollfd one{.fd = fd, .events = POLLOUT, .revents = 0};
    return ::poll(&one, 1, 0) == 1;
  }
  ssize_t send_records(int fd, TlsRecords& records, std::uint8_t type, std::span<const std::byte> content) {
    std::size_t taken = 0;
    while (taken != content.size() && !is_full_ && has_room(fd)) {
      const auto part = content.subspan(taken, std::min(most_content(fd), content.size() - taken));
      const auto record = records.wrap(type, part);
      const ssize_t sent = ::send(fd, record.data(), record.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0) return taken != 0 ? static_cast<ssize_t>(taken) : -1;
      BOOST_TEST_REQUIRE(std::cmp_equal(sent, record.size()));
      ++records_;
      if (type != 23) ++control_records_;
      taken += part.size();
    }
    if (taken != content.size()) ++blocked_;
    return taken != 0 || content.empty() ? static_cast<ssize_t>(taken) : fail(EAGAIN);
  }

  Refusals refusals_;
  std::map<int, std::optional<TlsRecords>> sockets_;  // those with the protocol, and with keys
  bool is_full_ = false;
  unsigned asked_ = 0;
  unsigned records_ = 0;
  unsigned control_records_ = 0;
  unsigned blocked_ = 0;
};

}  // namespace tsock::test
