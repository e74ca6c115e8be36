#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "tls/kernel_tls.hpp"

namespace tsock::inline v0::tls {

namespace {

int set_option(NativeSocket socket, int level, int name, const void* value, std::size_t size) noexcept {
  return ::setsockopt(socket, level, name, value, static_cast<socklen_t>(size)) == 0 ? 0 : errno;
}

// The kernel's structures differ in their sizes alone. The nonce is the salt and what it calls iv.
template <class Info>
int give_keys(NativeSocket socket, const TrafficKeys& keys, unsigned short cipher) noexcept {
  Info info{};
  info.info.version = keys.version == Version::tls1_3 ? TLS_1_3_VERSION : TLS_1_2_VERSION;
  info.info.cipher_type = cipher;
  constexpr std::size_t salt_size = sizeof(keys.iv) - sizeof(info.iv);
  static_assert(sizeof(info.salt) == salt_size && sizeof(info.key) <= sizeof(keys.key));
  std::memcpy(info.key, keys.key.data(), sizeof(info.key));
  std::memcpy(info.salt, keys.iv.data(), salt_size);
  std::memcpy(info.iv, keys.iv.data() + salt_size, sizeof(info.iv));
  for (std::size_t i = 0; i != sizeof(info.rec_seq); ++i)
    info.rec_seq[i] = static_cast<unsigned char>(keys.sequence >> 8U * (sizeof(info.rec_seq) - 1 - i));
  static constexpr char protocol[] = "tls";
  int err = set_option(socket, IPPROTO_TCP, TCP_ULP, protocol, sizeof(protocol));
  // Without keys the protocol changes nothing.
  if (err == 0) err = set_option(socket, SOL_TLS, TLS_TX, &info, sizeof(info));
  layer::wipe(std::as_writable_bytes(std::span(&info, 1)));
  return err;
}

}  // namespace

int give_keys_to_kernel(NativeSocket socket, const TrafficKeys& keys) noexcept {
  switch (keys.cipher) {
    case TrafficKeys::Cipher::aes_128_gcm:
      return give_keys<tls12_crypto_info_aes_gcm_128>(socket, keys, TLS_CIPHER_AES_GCM_128);
    case TrafficKeys::Cipher::aes_256_gcm:
      return give_keys<tls12_crypto_info_aes_gcm_256>(socket, keys, TLS_CIPHER_AES_GCM_256);
    case TrafficKeys::Cipher::chacha20_poly1305:
#if defined(TLS_CIPHER_CHACHA20_POLY1305)
      return give_keys<tls12_crypto_info_chacha20_poly1305>(socket, keys, TLS_CIPHER_CHACHA20_POLY1305);
#else
      break;
#endif
  }
  return EOPNOTSUPP;
}

ssize_t send_record_by_kernel(NativeSocket socket, std::uint8_t type, std::span<const std::byte> content,
                              int& err) noexcept {
  iovec vector{const_cast<std::byte*>(content.data()), content.size()};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(type))> control{};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_TLS;
  header->cmsg_type = TLS_SET_RECORD_TYPE;
  header->cmsg_len = CMSG_LEN(sizeof(type));
  std::memcpy(CMSG_DATA(header), &type, sizeof(type));
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) err = errno == ENOBUFS ? EAGAIN : errno;
  return sent;
}

}  // namespace tsock::inline v0::tls
