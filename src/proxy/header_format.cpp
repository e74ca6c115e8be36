#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string>
#include <tsock/proxy/header_format.hpp>

#include "proxy/crc32c.hpp"
#include "proxy/ip_bytes.hpp"
#include "proxy/tlv_list.hpp"

namespace tsock::inline v0::proxy {

namespace {

constexpr std::string_view v1_signature = "PROXY ";
constexpr std::string_view v2_signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t v2_front = 16;
constexpr std::size_t unix_name_size = 108;
constexpr std::size_t crc_size = 4;

enum class Family : std::uint8_t { unspecified, ipv4, ipv6, unix_socket };

std::string_view as_text(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::size_t big_endian_16(std::span<const std::byte> bytes) noexcept {
  return std::to_integer<std::size_t>(bytes[0]) << 8U | std::to_integer<std::size_t>(bytes[1]);
}

ParsedHeader malformed(std::string_view reason) noexcept { return {.err = EPROTO, .reason = reason}; }

// ---- version 1 ----

/// The text up to the next space, which is taken, too; all where there is none.
std::string_view take_word(std::string_view& line) noexcept {
  const std::size_t end = line.find(' ');
  const std::string_view word = line.substr(0, end);
  line = end == std::string_view::npos ? std::string_view() : line.substr(end + 1);
  return word;
}

bool read_v1_port(std::string_view word, std::uint16_t& port) noexcept {
  if (word.empty() || word.size() > 5 || (word.size() > 1 && word.front() == '0')) return false;
  const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), port);
  return problem == std::errc() && end == word.data() + word.size();
}

bool read_v1_address(std::string_view word, bool is_ipv4, Address& address) {
  if (word.empty() || word.find_first_of("[]%") != std::string_view::npos) return false;
  int err = 0;
  address = Address::inet_from_strings(is_ipv4 ? "ipv4" : "ipv6", word, 0, err);
  return err == 0;
}

ParsedHeader parse_v1_line(std::string_view line, Header& header) {
  header.version = Header::Version::v1;
  header.command = Header::Command::proxy;
  header.transport = Header::Transport::unspecified;
  std::string_view rest = line.substr(v1_signature.size());
  const bool has_more = rest.find(' ') != std::string_view::npos;
  const std::string_view family = take_word(rest);
  if (family == "UNKNOWN") return {};
  if (family != "TCP4" && family != "TCP6")
    return malformed("a PROXY header of a family that version 1 does not have");
  const bool is_ipv4 = family == "TCP4";
  // Five words, with one space between them.
  if (!has_more || std::ranges::count(rest, ' ') != 3)
    return malformed("a PROXY header that has not two addresses and two ports");
  header.transport = Header::Transport::stream;
  if (!read_v1_address(take_word(rest), is_ipv4, header.source) ||
      !read_v1_address(take_word(rest), is_ipv4, header.destination))
    return malformed("a PROXY header with an address that is none of its family");
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  if (!read_v1_port(take_word(rest), source_port) || !read_v1_port(rest, destination_port))
    return malformed("a PROXY header with a port that is no number up to 65535");
  int err = 0;
  header.source.set_port(source_port, err);
  header.destination.set_port(destination_port, err);
  return {};
}

ParsedHeader parse_v1(std::string_view text, Header& header) {
  const std::string_view window = text.substr(0, longest_v1_header);
  const std::size_t end = window.find("\r\n");
  if (end == std::string_view::npos) {
    if (window.size() == longest_v1_header)
      return {.err = EMSGSIZE, .reason = "a PROXY header of version 1 that does not end after 107 bytes"};
    return {.input = text.size() + 1, .is_begun = true};
  }
  Header parsed;
  ParsedHeader result = parse_v1_line(text.substr(0, end), parsed);
  if (result.err != 0) return result;
  header = std::move(parsed);
  result.size = end + 2;
  return result;
}

// ---- version 2 ----

/// Reads the addresses. \return the bytes that they have, or npos
std::size_t read_v2_addresses(Family family, std::span<const std::byte> body, Header& header) noexcept {
  constexpr std::size_t too_short = std::string_view::npos;
  if (family == Family::unix_socket) {
    if (body.size() < 2 * unix_name_size) return too_short;
    header.source = unix_address_from_bytes(body.first(unix_name_size));
    header.destination = unix_address_from_bytes(body.subspan(unix_name_size, unix_name_size));
    return 2 * unix_name_size;
  }
  const std::size_t size = family == Family::ipv4 ? 4 : 16;
  if (body.size() < 2 * size + 4) return too_short;
  const auto port_at = [body](std::size_t place) {
    return static_cast<std::uint16_t>(big_endian_16(body.subspan(place)));
  };
  header.source = address_from_bytes(body.first(size), port_at(2 * size));
  header.destination = address_from_bytes(body.subspan(size, size), port_at(2 * size + 2));
  return 2 * size + 4;
}

/// The checksum over the header with zeros in its own place.
bool is_checksum_right(std::span<const std::byte> whole, std::span<const std::byte> checksum) noexcept {
  constexpr std::array<std::byte, crc_size> zeros{};
  const auto place = static_cast<std::size_t>(checksum.data() - whole.data());
  std::uint32_t sum = crc32c(whole.first(place));
  sum = crc32c(zeros, sum);
  sum = crc32c(whole.subspan(place + crc_size), sum);
  std::uint32_t sent = 0;
  for (const std::byte byte : checksum) sent = sent << 8U | std::to_integer<std::uint32_t>(byte);
  return sum == sent;
}

ParsedHeader read_v2_tlvs(std::span<const std::byte> whole, std::size_t begin, Header& header) {
  TlvList list(whole.subspan(begin));
  bool has_checksum = false;
  while (const auto entry = list.next()) {
    if (entry->type == Tlv::crc32c) {
      if (has_checksum || entry->value.size() != crc_size)
        return malformed("a PROXY header with a checksum that is not one");
      if (!is_checksum_right(whole, entry->value)) return malformed("a PROXY header with a wrong checksum");
      has_checksum = true;
    }
    header.tlvs.push_back({.type = entry->type, .value = {entry->value.begin(), entry->value.end()}});
  }
  if (list.is_cut()) return malformed("a PROXY header with a value that is longer than what is left");
  return {};
}

ParsedHeader parse_v2(std::span<const std::byte> bytes, Header& header, std::size_t most) {
  if (bytes.size() < v2_front) return {.input = v2_front, .is_begun = true};
  const auto version_and_command = std::to_integer<unsigned>(bytes[12]);
  const auto family_and_transport = std::to_integer<unsigned>(bytes[13]);
  const unsigned command = version_and_command & 0x0fU;
  const unsigned family = family_and_transport >> 4U;
  const unsigned transport = family_and_transport & 0x0fU;
  if (version_and_command >> 4U != 2) return malformed("a PROXY header of an unknown version");
  if (command > 1) return malformed("a PROXY header with an unknown command");
  if (command == 1 && (family > 3 || transport > 2))
    return malformed("a PROXY header of an unknown family or transport");
  const std::size_t size = v2_front + big_endian_16(bytes.subspan(14));
  if (size > std::max(most, v2_front))
    return {.err = EMSGSIZE, .reason = "a PROXY header of version 2 that is longer than the limit"};
  if (bytes.size() < size) return {.input = size, .is_begun = true};

  Header parsed{.command = command == 0 ? Header::Command::local : Header::Command::proxy,
                .transport = Header::Transport::unspecified};
  ParsedHeader result;
  if (command == 1 && family != 0 && transport != 0) {
    parsed.transport = static_cast<Header::Transport>(transport);
    const std::span<const std::byte> whole = bytes.first(size);
    const std::size_t addresses =
        read_v2_addresses(static_cast<Family>(family), whole.subspan(v2_front), parsed);
    if (addresses == std::string_view::npos)
      return malformed("a PROXY header that is too short for its addresses");
    if (parsed.source.is_empty() || parsed.destination.is_empty())
      return malformed("a PROXY header with an address that this system does not have");
    result = read_v2_tlvs(whole, v2_front + addresses, parsed);
    if (result.err != 0) return result;
  }
  header = std::move(parsed);
  result.size = size;
  return result;
}

// ---- both ----

void append(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}
void append_text(std::vector<std::byte>& out, std::string_view text) {
  append(out, std::as_bytes(std::span(text)));
}
void append_16(std::vector<std::byte>& out, std::size_t value) {
  out.push_back(static_cast<std::byte>(value >> 8U & 0xffU));
  out.push_back(static_cast<std::byte>(value & 0xffU));
}

/// How a pair of addresses is sent.
Family family_of(const Header& header, int& err) noexcept {
  err = 0;
  if (header.command == Header::Command::local || header.transport == Header::Transport::unspecified)
    return Family::unspecified;
  if (header.source.is_unix() && header.destination.is_unix()) return Family::unix_socket;
  const auto source = ip_bytes(header.source);
  const auto destination = ip_bytes(header.destination);
  if (!source || !destination) {
    err = EINVAL;
    return Family::unspecified;
  }
  return is_mapped(*source) && is_mapped(*destination) ? Family::ipv4 : Family::ipv6;
}

/// The address without its port, in the family that the header has.
Ipv6Bytes bytes_for_header(const Address& address) noexcept {
  return ip_bytes(address).value_or(Ipv6Bytes{});
}

std::string v1_address_text(const Address& address, Family family) {
  const Ipv6Bytes ip = bytes_for_header(address);
  const std::span<const std::byte> bytes = std::as_bytes(std::span(ip));
  int err = 0;
  return address_from_bytes(family == Family::ipv4 ? bytes.last(4) : bytes, 0).ip_string(err);
}

std::vector<std::byte> format_v1(const Header& header, Family family) {
  std::string line(v1_signature);
  if ((family != Family::ipv4 && family != Family::ipv6) || header.transport != Header::Transport::stream) {
    line += "UNKNOWN";
  } else {
    line += family == Family::ipv4 ? "TCP4 " : "TCP6 ";
    line += v1_address_text(header.source, family) + ' ' + v1_address_text(header.destination, family) + ' ';
    line += std::to_string(header.source.port().value_or(0)) + ' ' +
            std::to_string(header.destination.port().value_or(0));
  }
  std::vector<std::byte> out;
  append_text(out, line);
  append_text(out, "\r\n");
  return out;
}

void append_v2_address(std::vector<std::byte>& out, const Address& address, Family family) {
  if (family == Family::unix_socket) {
    int err = 0;
    const std::string_view name = address.unix_path(err).substr(0, unix_name_size);
    append_text(out, name);
    out.resize(out.size() + unix_name_size - name.size());
    return;
  }
  const Ipv6Bytes ip = bytes_for_header(address);
  const std::span<const std::byte> bytes = std::as_bytes(std::span(ip));
  append(out, family == Family::ipv4 ? bytes.last(4) : bytes);
}

std::vector<std::byte> format_v2(const Header& header, Family family, bool has_checksum, int& err) {
  std::vector<std::byte> out;
  append_text(out, v2_signature);
  out.push_back(header.command == Header::Command::local ? std::byte{0x20} : std::byte{0x21});
  const auto transport = family != Family::unspecified ? static_cast<unsigned>(header.transport) : 0U;
  out.push_back(static_cast<std::byte>(static_cast<unsigned>(family) << 4U | transport));
  append_16(out, 0);
  if (family != Family::unspecified) {
    append_v2_address(out, header.source, family);
    append_v2_address(out, header.destination, family);
    if (family != Family::unix_socket) {
      append_16(out, header.source.port().value_or(0));
      append_16(out, header.destination.port().value_or(0));
    }
    for (const Tlv& tlv : header.tlvs) {
      if (tlv.type == Tlv::crc32c) continue;
      if (tlv.value.size() > longest_v2_header - v2_front) err = EMSGSIZE;
      if (err != 0) return {};
      out.push_back(static_cast<std::byte>(tlv.type));
      append_16(out, tlv.value.size());
      append(out, tlv.value);
      if (out.size() > longest_v2_header) err = EMSGSIZE;
    }
  }
  std::size_t checksum = 0;
  if (has_checksum && family != Family::unspecified) {
    out.push_back(static_cast<std::byte>(Tlv::crc32c));
    append_16(out, crc_size);
    checksum = out.size();
    out.resize(out.size() + crc_size);
  }
  if (out.size() > longest_v2_header) err = EMSGSIZE;
  if (err != 0) return {};
  const std::size_t length = out.size() - v2_front;
  out[14] = static_cast<std::byte>(length >> 8U);
  out[15] = static_cast<std::byte>(length & 0xffU);
  if (checksum != 0) {
    const std::uint32_t sum = crc32c(out);
    for (std::size_t i = 0; i < crc_size; ++i)
      out[checksum + i] = static_cast<std::byte>(sum >> (24U - 8U * i) & 0xffU);
  }
  return out;
}

}  // namespace

ParsedHeader parse_header(std::span<const std::byte> bytes, Header& header, std::size_t most_v2) {
  const std::string_view text = as_text(bytes);
  for (const std::string_view signature : {v1_signature, v2_signature}) {
    const std::size_t common = std::min(text.size(), signature.size());
    if (text.substr(0, common) != signature.substr(0, common)) continue;
    if (common < signature.size()) return {.input = text.size() + 1};
    return signature == v1_signature ? parse_v1(text, header) : parse_v2(bytes, header, most_v2);
  }
  return {.err = ENOMSG, .reason = "the connection does not begin with a PROXY header"};
}

std::vector<std::byte> format_header(const Header& header, int& err, const HeaderFormat& format) {
  const Family family = family_of(header, err);
  if (err != 0) return {};
  if (header.version == Header::Version::v1) return format_v1(header, family);
  return format_v2(header, family, format.checksum, err);
}

}  // namespace tsock::inline v0::proxy
