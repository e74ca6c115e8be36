#include "bench/load_gss.hpp"

#include "bench/load_options.hpp"

#ifdef TSOCK_BENCH_GSSAPI

#include <gssapi/gssapi.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "bench/gss_messages.hpp"
#include "bench/load_wire.hpp"

namespace bench {

namespace {

constexpr std::size_t around = 256;
constexpr std::size_t most_sent = most_gss_message - 2 * around;
constexpr std::size_t chunk = std::size_t{128} * 1024;

std::size_t read_length(const std::byte* bytes) {
  std::size_t length = 0;
  for (unsigned b = 0; b < 4; ++b) length = length << 8U | std::to_integer<std::size_t>(bytes[b]);
  return length;
}

void read_all(int fd, std::byte* to, std::size_t size) {
  if (::recv(fd, to, size, MSG_WAITALL) != static_cast<ssize_t>(size))
    LoadOptions::fail("a handshake failed");
}

gss_name_t target() {
  static const gss_name_t name = [] {
    std::array<char, 16> text{"bench@localhost"};
    gss_buffer_desc buffer{std::strlen(text.data()), text.data()};
    gss_name_t imported = GSS_C_NO_NAME;
    OM_uint32 minor = 0;
    const OM_uint32 major = gss_import_name(&minor, &buffer, GSS_C_NT_HOSTBASED_SERVICE, &imported);
    if (major != GSS_S_COMPLETE) fail_gss("gss_import_name", major, minor);
    return imported;
  }();
  return name;
}

}  // namespace

struct GssChannel::Context {
  GssMessages messages;
};

GssChannel::GssChannel(int fd, bool seals) : fd_(fd), context_(std::make_unique<Context>()) {
  context_->messages.seals = seals;
  shake();
}

GssChannel::~GssChannel() {
  OM_uint32 minor = 0;
  gss_delete_sec_context(&minor, &context_->messages.context, GSS_C_NO_BUFFER);
  ::close(fd_);
}

void GssChannel::shake() {
  const OM_uint32 flags =
      GSS_C_MUTUAL_FLAG | GSS_C_REPLAY_FLAG | GSS_C_SEQUENCE_FLAG | GSS_C_CONF_FLAG | GSS_C_INTEG_FLAG;
  std::vector<std::byte> token;
  for (;;) {
    gss_buffer_desc input{token.size(), token.data()};
    gss_buffer_desc output{};
    OM_uint32 minor = 0;
    const OM_uint32 major =
        gss_init_sec_context(&minor, GSS_C_NO_CREDENTIAL, &context_->messages.context, target(), GSS_C_NO_OID,
                             flags, 0, GSS_C_NO_CHANNEL_BINDINGS, &input, nullptr, &output, nullptr, nullptr);
    if (GSS_ERROR(major)) fail_gss("gss_init_sec_context", major, minor);
    if (output.length != 0) {
      std::vector<std::byte> frame(4 + output.length);
      write_gss_length(frame.data(), output.length);
      std::memcpy(frame.data() + 4, output.value, output.length);
      if (::send(fd_, frame.data(), frame.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(frame.size()))
        die("send");
    }
    gss_release_buffer(&minor, &output);
    if (major == GSS_S_COMPLETE) return;
    std::array<std::byte, 4> length{};
    read_all(fd_, length.data(), length.size());
    token.resize(std::min(read_length(length.data()), most_gss_token));
    read_all(fd_, token.data(), token.size());
  }
}

ssize_t GssChannel::send(const unsigned char* bytes, std::size_t size) {
  if (!flush()) {
    errno = EAGAIN;
    return -1;
  }
  const std::size_t step = std::min(size, most_sent);
  const GssMessages& messages = context_->messages;
  const std::size_t header = messages.header_size() + 4;
  unsent_.resize(step + 2 * around);
  std::memcpy(unsent_.data() + header, bytes, step);
  unsent_.resize(step + messages.wrap(unsent_.data() + header, step));
  flush();
  return static_cast<ssize_t>(step);
}

bool GssChannel::flush() {
  if (unsent_.empty()) return true;
  const ssize_t sent = ::send(fd_, unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) die("send");
  if (sent > 0) unsent_.erase(unsent_.begin(), unsent_.begin() + sent);
  return unsent_.empty();
}

// All messages that are complete.
void GssChannel::open_all() {
  std::size_t done = 0;
  while (cipher_.size() - done >= 4) {
    const std::size_t size = read_length(cipher_.data() + done);
    if (cipher_.size() - done - 4 < size) break;
    const std::span<std::byte> opened = context_->messages.unwrap(std::span(cipher_).subspan(done + 4, size));
    plain_.insert(plain_.end(), opened.begin(), opened.end());
    done += 4 + size;
  }
  cipher_.erase(cipher_.begin(), cipher_.begin() + static_cast<std::ptrdiff_t>(done));
}

ssize_t GssChannel::recv(unsigned char* to, std::size_t size) {
  if (given_ == plain_.size()) {
    plain_.clear();
    given_ = 0;
    const std::size_t kept = cipher_.size();
    cipher_.resize(kept + chunk);
    const ssize_t got = ::recv(fd_, cipher_.data() + kept, chunk, MSG_DONTWAIT);
    cipher_.resize(kept + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got <= 0) return got;
    open_all();
    if (plain_.empty()) {
      errno = EAGAIN;
      return -1;
    }
  }
  const std::size_t step = std::min(size, plain_.size() - given_);
  std::memcpy(to, plain_.data() + given_, step);
  given_ += step;
  return static_cast<ssize_t>(step);
}

}  // namespace bench

#else

namespace bench {

struct GssChannel::Context {};
GssChannel::GssChannel(int fd, bool) : fd_(fd) { LoadOptions::fail("built without GSSAPI"); }
GssChannel::~GssChannel() = default;
ssize_t GssChannel::send(const unsigned char*, std::size_t) { return -1; }
bool GssChannel::flush() { return true; }
ssize_t GssChannel::recv(unsigned char*, std::size_t) { return -1; }

}  // namespace bench

#endif
