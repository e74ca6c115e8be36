#include "bench/load_wire.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "bench/load_options.hpp"
#include "support/npa_messages.hpp"

#ifdef TSOCK_BENCH_TLS
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

namespace bench {

void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

int connect_to(std::uint16_t port, std::int64_t source) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  if (source >= 0) {
    sockaddr_in local = loopback(0);
    local.sin_addr.s_addr = htonl(static_cast<std::uint32_t>(INADDR_LOOPBACK + 256 + source % 1024));
    ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    if (::bind(fd, reinterpret_cast<sockaddr*>(&local), sizeof(local)) != 0) die("bind");
  }
  const sockaddr_in address = loopback(port);
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    die("connect");
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  return fd;
}

int connect_to_unix(const std::string& name) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) LoadOptions::fail("the name of a socket is too long");
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0) die("connect");
  return fd;
}

void send_npa_request(int fd) {
  static const std::vector<std::byte> request = tsock::test::from_hex(tsock::test::anonymous_request);
  if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
    die("send");
}

void read_npa_reply(int fd) {
  // The length, magic and level twice, file type and state, size, and the status at the end.
  std::array<unsigned char, 36> reply{};
  if (::recv(fd, reply.data(), reply.size(), MSG_WAITALL) != static_cast<ssize_t>(reply.size()))
    LoadOptions::fail("no whole reply of NPA");
  if (std::memcmp(reply.data() + 4, "NPAM", 4) != 0 || std::memcmp(reply.data() + 32, "\0\0\0\0", 4) != 0)
    LoadOptions::fail("NPA is refused");
}

#ifdef TSOCK_BENCH_TLS

namespace {

constexpr std::size_t most_unsent = std::size_t{256} * 1024;

struct SslDelete {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
// The last one, which the next handshakes resume.
std::unique_ptr<SSL_SESSION, SslDelete> last_session;

SSL_CTX* client_context() {
  static SSL_CTX* const context = [] {
    SSL_CTX* const made = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(made, TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(made, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(made, 1);
    SSL_CTX_set_default_read_buffer_len(made, std::size_t{64} * 1024);
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(made, [](SSL* ssl, SSL_SESSION* session) {
      SSL_set_app_data(ssl, ssl);  // not null: it has got its ticket
      last_session.reset(session);
      return 1;
    });
    return made;
  }();
  return context;
}

}  // namespace

/// OpenSSL reads from the socket, and writes into memory that leaves with one call.
struct Wire::Tls {
  std::unique_ptr<SSL, SslDelete> ssl;
  BIO* out = nullptr;  // owned by `ssl`
  std::vector<unsigned char> unsent = {};
};

Wire::Wire(int fd, bool is_tls, bool resumes) : fd_(fd) {
  if (!is_tls) return;
  tls_ = std::make_unique<Tls>(Tls{.ssl = std::unique_ptr<SSL, SslDelete>(SSL_new(client_context()))});
  tls_->out = BIO_new(BIO_s_mem());
  BIO* const in = BIO_new_socket(fd, BIO_NOCLOSE);
  SSL_set_bio(tls_->ssl.get(), in, tls_->out);
  SSL_set_connect_state(tls_->ssl.get());
  if (resumes && last_session != nullptr) SSL_set_session(tls_->ssl.get(), last_session.get());
  // Sockets of BIOs have no MSG_DONTWAIT.
  const int flags = ::fcntl(fd, F_GETFL);
  ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

Wire::~Wire() {
  if (tls_ == nullptr) return;
  // Without it the session would be one that must not be resumed.
  SSL_set_shutdown(tls_->ssl.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  ::close(fd_);
}

// \return as recv(2) after a call that has given nothing
ssize_t Wire::result_of(int result) const {
  switch (SSL_get_error(tls_->ssl.get(), result)) {
    case SSL_ERROR_WANT_READ:
      errno = EAGAIN;
      return -1;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    default:
      ERR_print_errors_fp(stderr);
      errno = EPROTO;
      return -1;
  }
}

bool Wire::flush() {
  if (gss_ != nullptr) return gss_->flush();
  if (tls_ == nullptr) return true;
  char* data = nullptr;
  const auto fresh = static_cast<std::size_t>(BIO_get_mem_data(tls_->out, &data));
  std::vector<unsigned char>& unsent = tls_->unsent;
  if (fresh == 0 && unsent.empty()) return true;
  if (!unsent.empty()) {
    unsent.insert(unsent.end(), data, data + fresh);
    data = reinterpret_cast<char*>(unsent.data());
  }
  const std::size_t size = unsent.empty() ? fresh : unsent.size();
  const ssize_t sent = ::send(fd_, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) die("send");
  const std::size_t done = sent > 0 ? static_cast<std::size_t>(sent) : 0;
  if (unsent.empty()) {
    unsent.assign(data + done, data + size);
  } else {
    unsent.erase(unsent.begin(), unsent.begin() + static_cast<std::ptrdiff_t>(done));
  }
  BIO_reset(tls_->out);
  return unsent.empty();
}

bool Wire::handshake() {
  if (tls_ == nullptr || SSL_is_init_finished(tls_->ssl.get()) == 1) return true;
  const int result = SSL_do_handshake(tls_->ssl.get());
  flush();
  if (result == 1) return true;
  if (result_of(result) < 0 && errno == EAGAIN) return false;
  LoadOptions::fail("a handshake failed");
}

bool Wire::is_resumed() const { return SSL_session_reused(tls_->ssl.get()) == 1; }
bool Wire::has_ticket() const { return SSL_get_app_data(tls_->ssl.get()) != nullptr; }

void Wire::say_goodbye() {
  SSL_shutdown(tls_->ssl.get());
  flush();
}

#else

struct Wire::Tls {};
Wire::Wire(int fd, bool is_tls, bool) : fd_(fd) {
  if (is_tls) LoadOptions::fail("built without OpenSSL");
}
Wire::~Wire() = default;
bool Wire::flush() { return gss_ == nullptr || gss_->flush(); }
bool Wire::handshake() { return true; }
bool Wire::is_resumed() const { return false; }
bool Wire::has_ticket() const { return false; }
void Wire::say_goodbye() {}

#endif

Wire::Wire() noexcept = default;
Wire::Wire(int fd, std::unique_ptr<GssChannel> gss) noexcept : fd_(fd), gss_(std::move(gss)) {}
Wire::Wire(Wire&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), tls_(std::move(other.tls_)), gss_(std::move(other.gss_)) {}
Wire& Wire::operator=(Wire&& other) noexcept {
  Wire old(std::move(*this));
  fd_ = std::exchange(other.fd_, -1);
  tls_ = std::move(other.tls_);
  gss_ = std::move(other.gss_);
  return *this;
}

ssize_t Wire::send(const unsigned char* bytes, std::size_t size) {
#ifdef TSOCK_BENCH_TLS
  if (tls_ != nullptr) {
    if (!handshake() || !flush()) {
      errno = EAGAIN;
      return -1;
    }
    std::size_t written = 0;
    if (SSL_write_ex(tls_->ssl.get(), bytes, std::min(size, most_unsent), &written) != 1)
      LoadOptions::fail("TLS does not write");
    flush();
    return static_cast<ssize_t>(written);
  }
#endif
  if (gss_ != nullptr) return gss_->send(bytes, size);
  return ::send(fd_, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

ssize_t Wire::send(const msghdr& message) {
  if (tls_ != nullptr || gss_ != nullptr)
    LoadOptions::fail("messages of several sizes are sent over plain streams");
  return ::sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

ssize_t Wire::recv(unsigned char* to, std::size_t size) {
#ifdef TSOCK_BENCH_TLS
  if (tls_ != nullptr) {
    if (!handshake()) {
      errno = EAGAIN;
      return -1;
    }
    std::size_t done = 0;
    while (done < size) {
      std::size_t got = 0;
      const int result = SSL_read_ex(tls_->ssl.get(), to + done, size - done, &got);
      if (result != 1) {
        if (done != 0) break;
        return result_of(result);
      }
      done += got;
      if (SSL_has_pending(tls_->ssl.get()) == 0) break;
    }
    return static_cast<ssize_t>(done);
  }
#endif
  if (gss_ != nullptr) return gss_->recv(to, size);
  return ::recv(fd_, to, size, MSG_DONTWAIT);
}

void Wire::wait() const {
  pollfd waiting{fd_, POLLIN, 0};
  ::poll(&waiting, 1, -1);
}

ssize_t Wire::write(const iovec& vector) {
  if (tls_ == nullptr && gss_ == nullptr) return ::writev(fd_, &vector, 1);
  for (;;) {
    const ssize_t sent = send(static_cast<const unsigned char*>(vector.iov_base), vector.iov_len);
    if (sent >= 0 || errno != EAGAIN) return sent;
    pollfd waiting{fd_, POLLOUT, 0};
    ::poll(&waiting, 1, -1);
  }
}

}  // namespace bench
