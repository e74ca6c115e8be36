#include "pcapng_file.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ios>

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#else
#include <netinet/in.h>
#include <sys/socket.h>
#endif

namespace tsock_cat {
namespace {

// Flags of TCP.
constexpr std::uint8_t tcp_fin = 0x01;
constexpr std::uint8_t tcp_syn = 0x02;
constexpr std::uint8_t tcp_push = 0x08;
constexpr std::uint8_t tcp_ack = 0x10;

constexpr std::uint8_t protocol_tcp = 6;
constexpr std::uint8_t protocol_udp = 17;

// What fits into one packet behind the longest headers.
constexpr std::size_t most_payload = 65535 - 60;
constexpr std::uint16_t link_type_raw = 101;  // packets begin with the header of IP

using Octets = std::vector<std::uint8_t>;

void put16(Octets& out, std::uint16_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8U));
  out.push_back(static_cast<std::uint8_t>(value & 0xffU));
}

void put32(Octets& out, std::uint32_t value) {
  put16(out, static_cast<std::uint16_t>(value >> 16U));
  put16(out, static_cast<std::uint16_t>(value & 0xffffU));
}

void put_all(Octets& out, std::span<const std::uint8_t> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void set16(Octets& out, std::size_t at, std::uint16_t value) {
  out[at] = static_cast<std::uint8_t>(value >> 8U);
  out[at + 1] = static_cast<std::uint8_t>(value & 0xffU);
}

// Fields of the file itself, which says in its head which order of bytes they have.
template <class Value>
void put_native(Octets& out, Value value) {
  std::array<std::uint8_t, sizeof(Value)> bytes{};
  std::memcpy(bytes.data(), &value, sizeof value);
  put_all(out, bytes);
}

void pad(Octets& out) {
  while (out.size() % 4 != 0) out.push_back(0);
}

// RFC 1071.
std::uint16_t checksum(std::span<const std::uint8_t> bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += static_cast<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8U : 0U);
  while (sum >> 16U != 0) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum & 0xffffU);
}

// The bytes of an ip address; an IPv4 address that is mapped into IPv6 is one of IPv4.
struct HostAddress {
  Octets bytes;
  std::uint16_t port = 0;
};

HostAddress host_of(const tsock::Address& address) {
  HostAddress host;
  host.port = address.port().value_or(0);
  if (address.is_ipv4()) {
    sockaddr_in raw{};
    std::memcpy(&raw, address.sockaddr_pointer(), sizeof raw);
    host.bytes.resize(sizeof raw.sin_addr);
    std::memcpy(host.bytes.data(), &raw.sin_addr, sizeof raw.sin_addr);
  } else {
    sockaddr_in6 raw{};
    std::memcpy(&raw, address.sockaddr_pointer(), sizeof raw);
    host.bytes.resize(sizeof raw.sin6_addr);
    std::memcpy(host.bytes.data(), &raw.sin6_addr, sizeof raw.sin6_addr);
    if (address.is_v4_mapped()) host.bytes.erase(host.bytes.begin(), host.bytes.begin() + 12);
  }
  return host;
}

// Of both ends the same family, as in any packet.
void match_families(HostAddress& one, HostAddress& other) {
  if (one.bytes.size() == other.bytes.size()) return;
  HostAddress& shorter = one.bytes.size() < other.bytes.size() ? one : other;
  Octets mapped(10, 0);
  mapped.insert(mapped.end(), 2, 0xff);
  put_all(mapped, shorter.bytes);
  shorter.bytes = std::move(mapped);
}

Octets ip_header(const HostAddress& from, const HostAddress& to, std::uint8_t protocol, std::size_t size) {
  Octets out;
  if (from.bytes.size() == 4) {
    out = {0x45, 0};
    put16(out, static_cast<std::uint16_t>(size + 20));
    put32(out, 0x4000);  // no identification, not to be fragmented
    out.push_back(64);
    out.push_back(protocol);
    put16(out, 0);
    put_all(out, from.bytes);
    put_all(out, to.bytes);
    set16(out, 10, checksum(out));
  } else {
    put32(out, 0x60000000);
    put16(out, static_cast<std::uint16_t>(size));
    out.push_back(protocol);
    out.push_back(64);
    put_all(out, from.bytes);
    put_all(out, to.bytes);
  }
  return out;
}

// The sum over what TCP and UDP take for their checksum beside themselves.
std::uint32_t pseudo_header_sum(const HostAddress& from, const HostAddress& to, std::uint8_t protocol,
                                std::size_t size) {
  Octets pseudo;
  put_all(pseudo, from.bytes);
  put_all(pseudo, to.bytes);
  put32(pseudo, static_cast<std::uint32_t>(size));
  put32(pseudo, protocol);
  return static_cast<std::uint32_t>(static_cast<std::uint16_t>(~checksum(pseudo)));
}

}  // namespace

int PcapngFile::flush() {
  if (file_.flush()) return 0;
  return errno != 0 ? errno : EIO;
}

int PcapngFile::open(const std::string& path) {
  errno = 0;
  file_.open(path, std::ios::binary | std::ios::trunc);
  if (!file_) return errno != 0 ? errno : EIO;
  Octets head;
  put_native(head, std::uint32_t{0x0a0d0d0a});  // section header
  put_native(head, std::uint32_t{28});
  put_native(head, std::uint32_t{0x1a2b3c4d});
  put_native(head, std::uint16_t{1});
  put_native(head, std::uint16_t{0});
  put_native(head, std::int64_t{-1});
  put_native(head, std::uint32_t{28});
  put_native(head, std::uint32_t{1});  // interface
  put_native(head, std::uint32_t{32});
  put_native(head, link_type_raw);
  put_native(head, std::uint16_t{0});
  put_native(head, std::uint32_t{0});
  put_native(head, std::uint16_t{9});  // resolution of time stamps: nanoseconds
  put_native(head, std::uint16_t{1});
  head.push_back(9);
  pad(head);
  put_native(head, std::uint32_t{0});  // end of options
  put_native(head, std::uint32_t{32});
  file_.write(reinterpret_cast<const char*>(head.data()), static_cast<std::streamsize>(head.size()));
  return flush();
}

int PcapngFile::begin(std::uint64_t connection, const CaptureEnds& ends) {
  Connection& c = connections_[connection];
  c.ends = ends;
  int err = 0;
  const auto made_up = [connection, &err](const char* host) {
    return tsock::Address::inet_from_strings("ipv4", host, static_cast<std::uint16_t>(connection), err);
  };
  if (!ends.local.is_inet()) c.ends.local = made_up("127.0.0.1");
  if (!ends.remote.is_inet()) c.ends.remote = made_up("127.0.0.2");
  if (ends.is_datagram) return 0;
  const bool from_us = !ends.is_accepted;
  packet(c, from_us, tcp_syn, {}, {}, ends.name);
  packet(c, !from_us, tcp_syn | tcp_ack, {}, {}, {});
  packet(c, from_us, tcp_ack, {}, {}, {});
  return flush();
}

int PcapngFile::record(std::uint64_t connection, Direction direction, std::span<const std::byte> bytes,
                       const tsock::Address& from) {
  errno = 0;
  Connection& c = connections_[connection];
  const bool from_us = (direction == Direction::sent) != c.ends.is_mirrored;
  const std::uint8_t flags = tcp_push | tcp_ack;
  do {
    const auto piece = bytes.first(std::min(bytes.size(), most_payload));
    packet(c, from_us, flags, piece, from, {});
    bytes = bytes.subspan(piece.size());
  } while (!bytes.empty());
  return flush();
}

int PcapngFile::end(std::uint64_t connection) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return 0;
  errno = 0;
  if (!found->second.ends.is_datagram) {
    packet(found->second, true, tcp_fin | tcp_ack, {}, {}, {});
    packet(found->second, false, tcp_fin | tcp_ack, {}, {}, {});
    packet(found->second, true, tcp_ack, {}, {}, {});
  }
  connections_.erase(found);
  return flush();
}

int PcapngFile::close() {
  errno = 0;
  int err = 0;
  while (err == 0 && !connections_.empty()) err = end(connections_.begin()->first);
  if (err != 0) return err;
  file_.close();
  if (file_) return 0;
  return errno != 0 ? errno : EIO;
}

void PcapngFile::packet(Connection& connection, bool from_us, std::uint8_t flags,
                        std::span<const std::byte> bytes, const tsock::Address& from,
                        const std::string& comment) {
  const CaptureEnds& ends = connection.ends;
  HostAddress source = host_of(from_us ? ends.local : from.is_inet() ? from : ends.remote);
  HostAddress target = host_of(from_us ? ends.remote : ends.local);
  match_families(source, target);
  const std::uint8_t protocol = ends.is_datagram ? protocol_udp : protocol_tcp;
  const std::size_t size = bytes.size() + (ends.is_datagram ? 8U : 20U);
  Octets segment;
  put16(segment, source.port);
  put16(segment, target.port);
  const std::size_t checksum_at = ends.is_datagram ? 6 : 16;
  if (ends.is_datagram) {
    put16(segment, static_cast<std::uint16_t>(size));
    put16(segment, 0);
  } else {
    std::uint32_t& next = connection.next[from_us ? 0 : 1];
    put32(segment, next);
    put32(segment, (flags & tcp_ack) != 0 ? connection.next[from_us ? 1 : 0] : 0);
    segment.push_back(0x50);  // five words
    segment.push_back(flags);
    put16(segment, 65535);
    put32(segment, 0);
    next += static_cast<std::uint32_t>(bytes.size()) + ((flags & (tcp_syn | tcp_fin)) != 0 ? 1U : 0U);
  }
  const auto* const first = reinterpret_cast<const std::uint8_t*>(bytes.data());
  put_all(segment, {first, bytes.size()});
  std::uint16_t sum = checksum(segment, pseudo_header_sum(source, target, protocol, size));
  if (sum == 0 && ends.is_datagram) sum = 0xffff;
  set16(segment, checksum_at, sum);
  Octets all = ip_header(source, target, protocol, size);
  put_all(all, segment);
  block(all, comment);
}

void PcapngFile::block(const Bytes& packet, const std::string& comment) {
  const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  const auto time = static_cast<std::uint64_t>(now.count());
  Octets body;
  put_native(body, std::uint32_t{0});
  put_native(body, static_cast<std::uint32_t>(time >> 32U));
  put_native(body, static_cast<std::uint32_t>(time & 0xffffffffU));
  put_native(body, static_cast<std::uint32_t>(packet.size()));
  put_native(body, static_cast<std::uint32_t>(packet.size()));
  put_all(body, packet);
  pad(body);
  if (!comment.empty()) {
    const std::string text = comment.substr(0, 0xffff);
    put_native(body, std::uint16_t{1});
    put_native(body, static_cast<std::uint16_t>(text.size()));
    put_all(body, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    pad(body);
    put_native(body, std::uint32_t{0});
  }
  const auto size = static_cast<std::uint32_t>(body.size() + 12);
  Octets out;
  out.reserve(size);
  put_native(out, std::uint32_t{6});  // enhanced packet
  put_native(out, size);
  put_all(out, body);
  put_native(out, size);
  file_.write(reinterpret_cast<const char*>(out.data()), static_cast<std::streamsize>(out.size()));
}

}  // namespace tsock_cat
