#include "tls/kernel_sender.hpp"

#include <cerrno>
#include <charconv>
#include <utility>

#include "tls/kernel_tls.hpp"

namespace tsock::inline v0::tls {

namespace {

constexpr std::size_t header_size = 3;  // type, size
constexpr std::size_t digits = 2;       // of a byte in the key log

}  // namespace

// "<label> <client's random number> <secret>", the numbers in hexadecimal digits.
void KernelSender::note_key_log(std::string_view line, bool is_server) noexcept {
  const std::string_view label = is_server ? "SERVER_TRAFFIC_SECRET_0 " : "CLIENT_TRAFFIC_SECRET_0 ";
  if (!line.starts_with(label)) return;
  const std::string_view text = line.substr(line.rfind(' ') + 1);
  if (text.size() % digits != 0 || text.size() / digits > secret_.size()) return;
  secret_size_ = text.size() / digits;
  for (std::size_t i = 0; i != secret_size_; ++i) {
    const char* const place = text.data() + digits * i;
    std::uint8_t byte = 0;
    if (std::from_chars(place, place + digits, byte, 16).ptr != place + digits) {
      secret_size_ = 0;
      return;
    }
    secret_[i] = static_cast<std::byte>(byte);
  }
  records_ = 0;
}

// With TLS 1.2 this record changes the keys; with TLS 1.3 it means nothing, and comes before they do.
void KernelSender::note_record(std::uint8_t type) noexcept {
  records_ = type == SSL3_RT_CHANGE_CIPHER_SPEC ? 0 : records_ + 1;
}

bool KernelSender::find_keys(SSL& ssl, TrafficKeys& keys) const noexcept {
  // The kernel makes records of the usual size.
  return SSL_SESSION_get_max_fragment_length(SSL_get_session(&ssl)) == TLSEXT_max_fragment_length_DISABLED &&
         derive_sending_keys(ssl, std::span(secret_).first(secret_size_), records_, keys);
}

bool KernelSender::take_over(SSL& ssl, SocketControl& socket) noexcept {
  TrafficKeys keys;
  OpenSslPointer<BIO> nobody(BIO_new(BIO_s_null()));
  if (nobody == nullptr || !find_keys(ssl, keys)) return false;
  if (give_keys_to_kernel(socket.native_handle(), keys) != 0) return false;
  SSL_set0_wbio(&ssl, nobody.release());
  layer::wipe(secret_);
  has_taken_over_ = true;
  return true;
}

bool KernelSender::put(std::uint8_t type, std::span<const std::byte> content,
                       layer::ByteBlock& out) noexcept {
  const std::array<std::byte, header_size> header = {static_cast<std::byte>(type),
                                                     static_cast<std::byte>(content.size() >> 8U),
                                                     static_cast<std::byte>(content.size())};
  if (out.room(header_size + content.size()).empty()) return false;
  return out.append(header) && out.append(content);
}

ssize_t KernelSender::send(SocketControl& socket, std::span<const std::byte> messages, int& err) noexcept {
  std::size_t done = 0;
  while (done != messages.size()) {
    const std::span<const std::byte> rest = messages.subspan(done);
    const std::size_t size =
        std::to_integer<std::size_t>(rest[1]) << 8U | std::to_integer<std::size_t>(rest[2]);
    const std::span<const std::byte> content = rest.subspan(header_size, size);
    const ssize_t sent =
        send_record_by_kernel(socket.native_handle(), std::to_integer<std::uint8_t>(rest[0]), content, err);
    if (sent < 0) break;
    // The rest would be a record of its own, which an alert must not be.
    if (std::cmp_not_equal(sent, size)) {
      err = EIO;
      return -1;
    }
    done += header_size + size;
  }
  return done != 0 ? static_cast<ssize_t>(done) : -1;
}

}  // namespace tsock::inline v0::tls
