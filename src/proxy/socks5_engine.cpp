#include "proxy/socks5_engine.hpp"

#include <cerrno>
#include <string>
#include <utility>

#include "layer/wiped_text.hpp"
#include "proxy/ip_bytes.hpp"
#include "proxy/target_host.hpp"

namespace tsock::inline v0::proxy {

namespace {

constexpr std::byte socks_version{5};
constexpr std::byte authentication_version{1};
constexpr std::byte no_authentication{0};
constexpr std::byte user_and_password{2};
constexpr std::byte no_method{0xff};
constexpr std::byte connect_command{1};
constexpr std::byte ipv4_kind{1};
constexpr std::byte name_kind{3};
constexpr std::byte ipv6_kind{4};
constexpr std::size_t longest_socks_text = 255;
constexpr std::size_t reply_front = 5;  // as far as the length of a name

void append_socks_text(std::span<std::byte> to, std::size_t& place, std::string_view text) {
  to[place++] = static_cast<std::byte>(text.size());
  for (const char c : text) to[place++] = static_cast<std::byte>(c);
}

struct ReplyMeaning {
  int err;
  std::string_view words;
};

ReplyMeaning meaning_of(std::byte code) noexcept {
  switch (std::to_integer<unsigned>(code)) {
    case 1:
      return {EIO, "the SOCKS proxy has failed (1: general failure)"};
    case 2:
      return {EACCES, "the rules of the SOCKS proxy do not allow it (2)"};
    case 3:
      return {ENETUNREACH, "the SOCKS proxy does not reach the network (3)"};
    case 4:
      return {EHOSTUNREACH, "the SOCKS proxy does not reach the host (4)"};
    case 5:
      return {ECONNREFUSED, "the target refuses the connection of the SOCKS proxy (5)"};
    case 6:
      return {EHOSTUNREACH, "the SOCKS proxy does not reach the host: TTL expired (6)"};
    case 7:
      return {EOPNOTSUPP, "the SOCKS proxy does not know the command CONNECT (7)"};
    case 8:
      return {EAFNOSUPPORT, "the SOCKS proxy does not know this kind of address (8)"};
    default:
      return {EPROTO, "the SOCKS proxy has failed with an unknown code"};
  }
}

}  // namespace

Socks5Options::~Socks5Options() { layer::wipe(password); }

Socks5Engine::Socks5Engine(const Target& target, const Socks5Options& options) {
  if (const char* const fault = fault_of(target); fault != nullptr) {
    reason_ = fault;
    return;
  }
  if (options.user.size() > longest_socks_text || options.password.size() > longest_socks_text) {
    reason_ = "a user or password of more than 255 bytes";
    return;
  }
  request_ = {socks_version, connect_command, std::byte{0}};
  if (const Address address = numeric_host(target); !address.is_empty()) {
    const Ipv6Bytes ip = ip_bytes(address).value_or(Ipv6Bytes{});
    std::span<const std::byte> bytes = std::as_bytes(std::span(ip));
    if (address.is_ipv4()) bytes = bytes.last(4);
    request_.push_back(address.is_ipv4() ? ipv4_kind : ipv6_kind);
    request_.insert(request_.end(), bytes.begin(), bytes.end());
  } else {
    request_.push_back(name_kind);
    std::size_t place = request_.size();
    request_.resize(place + 1 + target.host.size());
    append_socks_text(request_, place, target.host);
  }
  request_.push_back(static_cast<std::byte>(target.port >> 8U));
  request_.push_back(static_cast<std::byte>(target.port & 0xffU));
  if (options.user.empty()) return;
  credentials_.resize(3 + options.user.size() + options.password.size());
  std::size_t place = 0;
  credentials_.bytes()[place++] = authentication_version;
  append_socks_text(credentials_.bytes(), place, options.user);
  append_socks_text(credentials_.bytes(), place, options.password);
}

layer::Step Socks5Engine::handshake(layer::ByteBlock& in, bool at_end, layer::ByteBlock& out) noexcept {
  if (is_done_) return {};  // asked again until all has left
  if (request_.empty()) return {.err = EINVAL};
  // A proxy that asks for no authentication answers the next message at once, in one piece with the last.
  for (;;) {
    const Phase before = phase_;
    layer::Step step;
    switch (phase_) {
      case Phase::greeting: {
        const bool offers = credentials_.size() != 0;
        const std::byte greeting[]{socks_version, offers ? std::byte{2} : std::byte{1}, no_authentication,
                                   user_and_password};
        step = send(std::span(greeting).first(offers ? 4 : 3), Phase::method, out);
        break;
      }
      case Phase::method:
        step = take_method(in, out);
        break;
      case Phase::authentication:
        step = take_authentication(in, out);
        break;
      case Phase::reply:
        step = take_reply(in);
        if (is_done_) return step;
        break;
    }
    if (step.err != 0) return step;
    if (step.input != 0 && at_end) return fail(EPROTO, "the SOCKS proxy has closed before it had answered");
    if (phase_ == before) return step;
  }
}

layer::Step Socks5Engine::send(std::span<const std::byte> message, Phase next,
                               layer::ByteBlock& out) noexcept {
  if (!out.append(message)) return {.err = ENOMEM};
  phase_ = next;
  return {};
}

layer::Step Socks5Engine::take_method(layer::ByteBlock& in, layer::ByteBlock& out) noexcept {
  if (!in.empty() && in.bytes()[0] != socks_version)
    return fail(EPROTO, "the proxy does not speak SOCKS version 5");
  if (in.size() < 2) return {.input = 2};
  const std::byte method = in.bytes()[1];
  if (method == no_method) {
    return fail(EACCES, credentials_.size() != 0
                            ? "the SOCKS proxy takes neither user and password nor no authentication"
                            : "the SOCKS proxy wants an authentication, such as user and password");
  }
  const bool authenticates = method == user_and_password && credentials_.size() != 0;
  if (!authenticates && method != no_authentication)
    return fail(EPROTO, "the SOCKS proxy has chosen a method that was not offered");
  in.take(2);
  const layer::Step step = authenticates ? send(credentials_.bytes(), Phase::authentication, out)
                                         : send(request_, Phase::reply, out);
  credentials_.clear();
  return step;
}

layer::Step Socks5Engine::take_authentication(layer::ByteBlock& in, layer::ByteBlock& out) noexcept {
  if (in.size() < 2) return {.input = 2};
  // Some answer with the version of SOCKS in place of that of the authentication.
  if (in.bytes()[0] != authentication_version && in.bytes()[0] != socks_version)
    return fail(EPROTO, "the SOCKS proxy does not answer the authentication");
  if (in.bytes()[1] != std::byte{0}) return fail(EACCES, "the SOCKS proxy refuses user and password");
  in.take(2);
  return send(request_, Phase::reply, out);
}

layer::Step Socks5Engine::take_reply(layer::ByteBlock& in) noexcept {
  const std::span<const std::byte> bytes = in.bytes();
  if (!bytes.empty() && bytes[0] != socks_version)
    return fail(EPROTO, "the proxy does not speak SOCKS version 5");
  if (bytes.size() < 2) return {.input = reply_front};
  // A refusal may be cut behind its code.
  if (bytes[1] != std::byte{0}) {
    const ReplyMeaning meaning = meaning_of(bytes[1]);
    return fail(meaning.err, meaning.words);
  }
  if (bytes.size() < reply_front) return {.input = reply_front};
  std::size_t size = 4 + 2;
  if (bytes[3] == ipv4_kind) {
    size += 4;
  } else if (bytes[3] == ipv6_kind) {
    size += 16;
  } else if (bytes[3] == name_kind) {
    size += 1 + std::to_integer<std::size_t>(bytes[4]);
  } else {
    return fail(EPROTO, "the SOCKS proxy answers with an address of an unknown kind");
  }
  if (bytes.size() < size) return {.input = size};
  in.take(size);
  is_done_ = true;
  return {};
}

}  // namespace tsock::inline v0::proxy
