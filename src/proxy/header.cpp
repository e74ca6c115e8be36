#include <algorithm>
#include <tsock/proxy/accept.hpp>
#include <tsock/proxy/header.hpp>
#include <tsock/stream.hpp>

#include "proxy/tlv_list.hpp"

namespace tsock::inline v0::proxy {

namespace {

// The value of PP2_TYPE_SSL: a byte of flags, the result of the verification, and values of their own.
constexpr std::size_t ssl_front = 5;
constexpr unsigned client_over_tls = 0x01;
constexpr unsigned client_certificate_in_connection = 0x02;
constexpr unsigned client_certificate_in_session = 0x04;

std::string_view text_of_value(std::span<const std::byte> value) noexcept {
  return {reinterpret_cast<const char*>(value.data()), value.size()};
}

std::optional<std::string_view> text_of_tlv(const Tlv* tlv) noexcept {
  if (tlv == nullptr) return std::nullopt;
  return text_of_value(tlv->value);
}

std::string* place_of(SslInfo& info, std::uint8_t type) noexcept {
  switch (type) {
    case 0x21:
      return &info.version;
    case 0x22:
      return &info.common_name;
    case 0x23:
      return &info.cipher;
    case 0x24:
      return &info.signature_algorithm;
    case 0x25:
      return &info.key_algorithm;
    default:
      return nullptr;
  }
}

}  // namespace

const Tlv* Header::find(std::uint8_t type) const noexcept {
  const auto found = std::ranges::find(tlvs, type, &Tlv::type);
  return found != tlvs.end() ? &*found : nullptr;
}

std::optional<std::string_view> Header::alpn() const noexcept { return text_of_tlv(find(Tlv::alpn)); }
std::optional<std::string_view> Header::authority() const noexcept {
  return text_of_tlv(find(Tlv::authority));
}
std::optional<std::string_view> Header::network_namespace() const noexcept {
  return text_of_tlv(find(Tlv::network_namespace));
}

std::optional<std::span<const std::byte>> Header::unique_id() const noexcept {
  const Tlv* const tlv = find(Tlv::unique_id);
  if (tlv == nullptr) return std::nullopt;
  return tlv->value;
}

std::optional<SslInfo> Header::ssl() const {
  const Tlv* const tlv = find(Tlv::ssl);
  if (tlv == nullptr || tlv->value.size() < ssl_front) return std::nullopt;
  const std::span<const std::byte> value = tlv->value;
  const auto flags = std::to_integer<unsigned>(value[0]);
  SslInfo info{.over_tls = (flags & client_over_tls) != 0,
               .has_certificate = (flags & client_certificate_in_connection) != 0,
               .session_has_certificate = (flags & client_certificate_in_session) != 0};
  for (const std::byte byte : value.subspan(1, ssl_front - 1))
    info.verify_result = info.verify_result << 8U | std::to_integer<std::uint32_t>(byte);
  info.is_verified = info.verify_result == 0 && (info.has_certificate || info.session_has_certificate);
  TlvList list(value.subspan(ssl_front));
  while (const auto entry = list.next()) {
    if (std::string* const place = place_of(info, entry->type); place != nullptr)
      *place = text_of_value(entry->value);
  }
  if (list.is_cut()) return std::nullopt;
  return info;
}

Header Header::of(const Stream& accepted) {
  Header header;
  if (const Header* const received = proxy::header(accepted); received != nullptr) {
    header.tlvs = received->tlvs;
    if (received->command == Command::proxy) header.transport = received->transport;
  }
  header.source = accepted.remote_address();
  header.destination = accepted.local_address();
  if (header.source.is_empty() || header.destination.is_empty()) {
    header.source = {};
    header.destination = {};
    header.transport = Transport::unspecified;
  } else if (header.transport == Transport::unspecified) {
    header.transport = Transport::stream;
  }
  return header;
}

}  // namespace tsock::inline v0::proxy
