#include "tls/peer_name.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <tsock/address.hpp>

namespace tsock::inline v0::tls {

namespace {

constexpr std::size_t longest_name = 253;
constexpr std::size_t longest_label = 63;

bool is_ip(const std::string& text) {
  int err = 0;
  static_cast<void>(Address::inet_from_strings("ip", text.c_str(), 0, err));
  return err == 0;
}

// An underscore is no character of host names, and used all the same. A dot at the begin would mean any name
// below to OpenSSL.
bool is_dns(const std::string& text) noexcept {
  std::size_t label = 0;
  for (const char byte : text) {
    const bool is_dot = byte == '.';
    if (is_dot && label == 0) return false;
    if (!is_dot && std::isalnum(static_cast<unsigned char>(byte)) == 0 && byte != '-' && byte != '_')
      return false;
    label = is_dot ? 0 : label + 1;
    if (label > longest_label) return false;
  }
  return label != 0 && text.size() <= longest_name;
}

}  // namespace

PeerName PeerName::parse(const std::string& name) {
  if (name.empty()) return {};
  const std::string address = name.substr(0, name.find('%'));
  // With a NUL the name that is checked would be another one than the one that is meant.
  if (!address.empty() && address.find('\0') == std::string::npos && is_ip(address))
    return {.kind = Kind::ip, .text = address};
  std::string text = name;
  if (text.ends_with('.')) text.pop_back();
  std::transform(text.begin(), text.end(), text.begin(), [](char byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
  });
  if (!is_dns(text)) return {.kind = Kind::invalid};
  return {.kind = Kind::dns, .text = std::move(text)};
}

}  // namespace tsock::inline v0::tls
