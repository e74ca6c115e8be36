#include <cerrno>
#include <charconv>
#include <string_view>
#include <tsock/proxy/network.hpp>

#include "proxy/ip_bytes.hpp"

namespace tsock::inline v0::proxy {

namespace {

constexpr unsigned bits_before_ipv4 = 96;

/// The bits of one byte that belong to the first `bits` of an address.
std::uint8_t mask_of_byte(std::size_t byte, unsigned bits) noexcept {
  if (bits >= (byte + 1) * 8) return 0xff;
  if (bits <= byte * 8) return 0;
  return static_cast<std::uint8_t>(0xff00U >> (bits - byte * 8));
}

}  // namespace

Network Network::parse(OptionalText text, int& err) {
  err = EINVAL;
  const std::string_view all = text.text();
  const std::size_t slash = all.find('/');
  const std::string_view ip_text = all.substr(0, slash);
  if (ip_text.empty() || ip_text.find_first_of("[]%") != std::string_view::npos) return {};
  int failure = 0;
  const Address address = Address::inet_from_strings("ip", ip_text, 0, failure);
  const auto ip = ip_bytes(address);
  if (!ip) return {};
  unsigned bits = address.is_ipv4() ? 32 : 128;
  if (slash != std::string_view::npos) {
    const std::string_view length = all.substr(slash + 1);
    const char* const end = length.data() + length.size();
    unsigned given = 0;
    const auto [stop, problem] = std::from_chars(length.data(), end, given);
    if (problem != std::errc() || stop != end || given > bits) return {};
    bits = given;
  }
  if (address.is_ipv4()) bits += bits_before_ipv4;
  for (std::size_t i = 0; i < ip->size(); ++i) {
    if (((*ip)[i] & static_cast<std::uint8_t>(~mask_of_byte(i, bits))) != 0) return {};
  }
  err = 0;
  Network network;
  network.ip_ = *ip;
  network.bits_ = static_cast<std::uint8_t>(bits);
  network.has_addresses_ = true;
  return network;
}

bool Network::contains(const Address& address) const noexcept {
  const auto ip = ip_bytes(address);
  if (!ip || !has_addresses_) return false;
  // ::/0 is all of IPv6, and no IPv4 address.
  if (is_mapped(*ip) && bits_ < bits_before_ipv4) return false;
  for (std::size_t i = 0; i < ip_.size(); ++i) {
    if ((((*ip)[i] ^ ip_[i]) & mask_of_byte(i, bits_)) != 0) return false;
  }
  return true;
}

std::string Network::to_string() const {
  if (!has_addresses_) return {};
  const std::span<const std::byte> bytes = std::as_bytes(std::span(ip_));
  const bool is_ipv4 = is_mapped(ip_) && bits_ >= bits_before_ipv4;
  int err = 0;
  const Address address = address_from_bytes(is_ipv4 ? bytes.last(4) : bytes, 0);
  return address.ip_string(err) + '/' + std::to_string(is_ipv4 ? bits_ - bits_before_ipv4 : bits_);
}

}  // namespace tsock::inline v0::proxy
