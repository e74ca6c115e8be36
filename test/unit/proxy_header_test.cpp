// The codec of the PROXY protocol, and the networks that headers are believed from.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <tsock/proxy/header_format.hpp>
#include <tsock/proxy/network.hpp>
#include <vector>

#include "proxy/crc32c.hpp"
#include "support/loop_fixture.hpp"
#include "support/system.hpp"

namespace tsock::test {

namespace {

namespace data = boost::unit_test::data;
using proxy::Header;
using proxy::ParsedHeader;
using proxy::Tlv;

Address proxied(const char* text) {
  int err = 0;
  const Address address = Address::parse(text, err);
  BOOST_TEST_REQUIRE(err == 0);
  return address;
}

const std::string v2_mark("\r\n\r\n\0\r\nQUIT\n", 12);

/// A header of version 2 out of its parts.
std::string v2(unsigned char command, unsigned char family, const std::string& body) {
  return v2_mark + static_cast<char>(command) + static_cast<char>(family) +
         static_cast<char>(body.size() >> 8U) + static_cast<char>(body.size() & 0xffU) + body;
}
std::string tlv(unsigned char type, const std::string& value) {
  return std::string(1, static_cast<char>(type)) + static_cast<char>(value.size() >> 8U) +
         static_cast<char>(value.size() & 0xffU) + value;
}
const std::string two_ipv4("\x01\x02\x03\x04\x05\x06\x07\x08\x10\x00\x01\xbb", 12);

ParsedHeader parse(std::string_view text, Header& header, std::size_t most = proxy::usual_v2_limit) {
  return proxy::parse_header(std::as_bytes(std::span(text)), header, most);
}
ParsedHeader parse(std::string_view text) {
  Header header;
  return parse(text, header);
}

Header full_header() {
  return {.source = proxied("[2001:db8::1]:4096"),
          .destination = proxied("[2001:db8::2]:443"),
          .tlvs = {{.type = Tlv::alpn, .value = bytes_of("h2")},
                   {.type = Tlv::authority, .value = bytes_of("example.org")},
                   {.type = Tlv::unique_id, .value = pattern(128)},
                   {.type = Tlv::network_namespace, .value = bytes_of("blue")},
                   {.type = Tlv::noop, .value = {}}}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(proxy_header)

BOOST_AUTO_TEST_CASE(a_line_of_version_1_has_two_endpoints) {
  Header header;
  const std::string_view line = "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET /";
  const ParsedHeader parsed = parse(line, header);
  BOOST_TEST_REQUIRE(parsed.err == 0, parsed.reason);
  BOOST_TEST(parsed.size == line.find("GET"));
  BOOST_TEST((header.version == Header::Version::v1));
  BOOST_TEST((header.transport == Header::Transport::stream));
  BOOST_TEST(header.source == proxied("192.0.2.1:56324"));
  BOOST_TEST(header.destination == proxied("192.0.2.2:443"));
  BOOST_TEST_REQUIRE(parse("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", header).err == 0);
  BOOST_TEST(header.source == proxied("[2001:db8::1]:1"));
  BOOST_TEST(header.destination == proxied("[::1]:65535"));
}

BOOST_DATA_TEST_CASE(an_unknown_protocol_has_no_addresses,
                     data::make({"PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
                                 "PROXY UNKNOWN  anything at all\r\n"}),
                     line) {
  Header header = full_header();
  const ParsedHeader parsed = parse(line, header);
  BOOST_TEST_REQUIRE(parsed.err == 0, parsed.reason);
  BOOST_TEST(parsed.size == std::string_view(line).size());
  BOOST_TEST((header.transport == Header::Transport::unspecified));
  BOOST_TEST((header.command == Header::Command::proxy));
  BOOST_TEST(header.source.is_empty());
  BOOST_TEST(header.tlvs.empty());
}

BOOST_DATA_TEST_CASE(a_malformed_line_is_refused_in_words,
                     data::make({"PROXY \r\n",
                                 "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
                                 "PROXY TCP4\r\n",
                                 "PROXY TCP4 \r\n",
                                 "PROXY UNKNOWNX\r\n",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
                                 "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4  2\r\n",
                                 "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
                                 "PROXY TCP4 ::1 ::1 1 2\r\n",
                                 "PROXY TCP6 1.2.3.4 ::1 1 2\r\n",
                                 "PROXY TCP6 [::1] ::1 1 2\r\n",
                                 "PROXY TCP6 fe80::1%lo ::1 1 2\r\n",
                                 "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\r\n"}),
                     line) {
  Header header = full_header();
  const ParsedHeader parsed = parse(line, header);
  BOOST_TEST(parsed.err == EPROTO);
  BOOST_TEST(!parsed.reason.empty());
  BOOST_TEST((header == full_header()));
}

BOOST_AUTO_TEST_CASE(a_line_has_107_bytes_and_no_more) {
  const std::string longest = "PROXY UNKNOWN" + std::string(92, 'x') + "\r\n";
  BOOST_TEST_REQUIRE(longest.size() == 107U);
  BOOST_TEST(parse("PROXY UNKNOWN " + longest.substr(14)).size == 107U);
  BOOST_TEST(parse("PROXY UNKNOWN " + std::string(93, 'x') + "\r\n").err == EMSGSIZE);
  BOOST_TEST(parse("PROXY UNKNOWN " + std::string(93, 'x')).err == EMSGSIZE);
  BOOST_TEST(parse("PROXY UNKNOWN " + std::string(92, 'x')).input == 107U);
}

BOOST_AUTO_TEST_CASE(anything_else_is_no_header) {
  for (const char* text : {"G", "GET / HTTP/1.1\r\n", "PROX ", "PROXYTCP4", "proxy tcp4", "\r\n\r\n\r"}) {
    const ParsedHeader parsed = parse(text);
    BOOST_TEST(parsed.err == ENOMSG, text);
    BOOST_TEST(!parsed.reason.empty());
  }
}

BOOST_AUTO_TEST_CASE(a_header_that_is_cut_anywhere_asks_for_more) {
  int err = -1;
  Header header = full_header();
  for (const Header::Version version : {Header::Version::v1, Header::Version::v2}) {
    header.version = version;
    const std::vector<std::byte> bytes = proxy::format_header(header, err, {.checksum = true});
    BOOST_TEST_REQUIRE(err == 0);
    const std::size_t signature = version == Header::Version::v1 ? 6 : 12;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      Header out;
      const ParsedHeader parsed = proxy::parse_header(std::span(bytes).first(size), out);
      BOOST_TEST_REQUIRE(parsed.err == 0);
      BOOST_TEST_REQUIRE(parsed.size == 0U);
      BOOST_TEST_REQUIRE(parsed.input > size);
      BOOST_TEST_REQUIRE(parsed.input <= bytes.size());
      BOOST_TEST_REQUIRE(parsed.is_begun == (size >= signature));
    }
    Header out;
    BOOST_TEST(proxy::parse_header(bytes, out).size == bytes.size());
  }
}

BOOST_AUTO_TEST_CASE(version_2_has_addresses_and_values) {
  Header header;
  const std::string text = v2(0x21, 0x11, two_ipv4 + tlv(2, "example.org") + tlv(0xe0, "ours")) + "rest";
  const ParsedHeader parsed = parse(text, header);
  BOOST_TEST_REQUIRE(parsed.err == 0, parsed.reason);
  BOOST_TEST(parsed.size == text.size() - 4);
  BOOST_TEST(header.source == proxied("1.2.3.4:4096"));
  BOOST_TEST(header.destination == proxied("5.6.7.8:443"));
  BOOST_TEST(header.authority().value_or("") == "example.org");
  BOOST_TEST(!header.alpn());
  BOOST_TEST_REQUIRE(header.find(0xe0) != nullptr);
  BOOST_TEST(text_of(header.find(0xe0)->value) == "ours");
  BOOST_TEST(header.find(0xe1) == nullptr);
}

BOOST_AUTO_TEST_CASE(what_is_formatted_is_read_as_the_same) {
  Header header = full_header();
  int err = -1;
  Header out;
  BOOST_TEST(proxy::parse_header(proxy::format_header(header, err), out).err == 0);
  BOOST_TEST((out == header));
  BOOST_TEST(out.alpn().value_or("") == "h2");
  BOOST_TEST(out.network_namespace().value_or("") == "blue");
  BOOST_TEST_REQUIRE(out.unique_id().has_value());
  BOOST_TEST(out.unique_id()->size() == 128U);
  header.transport = Header::Transport::datagram;
  BOOST_TEST(proxy::parse_header(proxy::format_header(header, err), out).err == 0);
  BOOST_TEST((out == header));
  header.transport = Header::Transport::stream;
  header.version = Header::Version::v1;
  header.tlvs.clear();
  BOOST_TEST(text_of(proxy::format_header(header, err)) == "PROXY TCP6 2001:db8::1 2001:db8::2 4096 443\r\n");
}

BOOST_AUTO_TEST_CASE(unix_addresses_go_through_version_2) {
  int err = -1;
  Header header{.source = Address::unix_unnamed(), .destination = proxied("/run/a socket")};
  Header out;
  BOOST_TEST(proxy::parse_header(proxy::format_header(header, err), out).err == 0);
  BOOST_TEST((out == header));
  if (!uses_posix_alone()) header.source = Address::unix_abstract("name", err);
  header.destination = Address::unix_from_path('/' + std::string(106, 'p'), err);
  BOOST_TEST_REQUIRE(err == 0);
  BOOST_TEST(proxy::parse_header(proxy::format_header(header, err), out).err == 0);
  BOOST_TEST((out == header));
  header.version = Header::Version::v1;
  BOOST_TEST(text_of(proxy::format_header(header, err)) == "PROXY UNKNOWN\r\n");
}

BOOST_AUTO_TEST_CASE(mapped_addresses_are_sent_in_the_family_that_both_have) {
  int err = -1;
  Header header{.version = Header::Version::v1,
                .source = proxied("[::ffff:1.2.3.4]:1"),
                .destination = proxied("5.6.7.8:2")};
  BOOST_TEST(text_of(proxy::format_header(header, err)) == "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n");
  header.source = proxied("[2001:db8::1]:1");
  BOOST_TEST(text_of(proxy::format_header(header, err)) == "PROXY TCP6 2001:db8::1 ::ffff:5.6.7.8 1 2\r\n");
}

BOOST_AUTO_TEST_CASE(addresses_that_do_not_belong_together_are_refused) {
  int err = 0;
  BOOST_TEST(
      proxy::format_header({.source = proxied("/run/s"), .destination = proxied("5.6.7.8:2")}, err).empty());
  BOOST_TEST(err == EINVAL);
  BOOST_TEST(proxy::format_header({.source = proxied("5.6.7.8:2")}, err).empty());
  BOOST_TEST(err == EINVAL);
}

BOOST_AUTO_TEST_CASE(values_that_do_not_fit_are_refused) {
  int err = 0;
  Header header = full_header();
  header.tlvs = {{.type = 0xe0, .value = std::vector<std::byte>(65535 - 36 - 3)}};
  const std::vector<std::byte> bytes = proxy::format_header(header, err);
  BOOST_TEST(err == 0);
  BOOST_TEST(bytes.size() == proxy::longest_v2_header);
  Header out;
  BOOST_TEST(proxy::parse_header(bytes, out).err == EMSGSIZE);
  BOOST_TEST(proxy::parse_header(bytes, out, proxy::longest_v2_header).err == 0);
  BOOST_TEST(proxy::format_header(header, err, {.checksum = true}).empty());
  BOOST_TEST(err == EMSGSIZE);
  header.tlvs.push_back({.type = 0xe1, .value = {}});
  BOOST_TEST(proxy::format_header(header, err).empty());
  BOOST_TEST(err == EMSGSIZE);
}

BOOST_AUTO_TEST_CASE(the_limit_is_checked_before_the_bytes_are_there) {
  Header header;
  const std::string front = v2(0x21, 0x11, two_ipv4 + tlv(0xe0, std::string(100, 'x'))).substr(0, 16);
  BOOST_TEST(parse(front, header, 16 + 114).err == EMSGSIZE);
  BOOST_TEST(parse(front, header, 16 + 115).input == 16U + 115U);
}

BOOST_AUTO_TEST_CASE(local_and_unnamed_families_skip_the_rest) {
  for (const auto& [command, family] :
       {std::pair(0x20, 0x11), {0x20, 0x00}, {0x20, 0xf3}, {0x21, 0x00}, {0x21, 0x10}}) {
    Header header = full_header();
    const std::string text =
        v2(static_cast<unsigned char>(command), static_cast<unsigned char>(family), "\x01\xff\xff?");
    const ParsedHeader parsed = parse(text, header);
    BOOST_TEST_REQUIRE(parsed.err == 0, parsed.reason);
    BOOST_TEST(parsed.size == text.size());
    BOOST_TEST((header.command == (command == 0x20 ? Header::Command::local : Header::Command::proxy)));
    BOOST_TEST((header.transport == Header::Transport::unspecified));
    BOOST_TEST(header.source.is_empty());
    BOOST_TEST(header.tlvs.empty());
  }
}

BOOST_AUTO_TEST_CASE(a_malformed_header_of_version_2_is_refused_in_words) {
  const std::string cut_value = tlv(2, "example.org");
  for (const std::string& text :
       {v2(0x11, 0x11, two_ipv4), v2(0x31, 0x11, two_ipv4), v2(0x22, 0x11, two_ipv4),
        v2(0x21, 0x41, two_ipv4), v2(0x21, 0x13, two_ipv4), v2(0x21, 0x11, two_ipv4.substr(1)),
        v2(0x21, 0x21, two_ipv4), v2(0x21, 0x31, std::string(215, '\0')),
        v2(0x21, 0x11, two_ipv4 + cut_value.substr(0, cut_value.size() - 1)),
        v2(0x21, 0x11, two_ipv4 + "\x02"), v2(0x21, 0x11, two_ipv4 + std::string("\x02\x00", 2)),
        v2(0x21, 0x11, two_ipv4 + tlv(3, "abcd")), v2(0x21, 0x11, two_ipv4 + tlv(3, "abc"))}) {
    Header header = full_header();
    const ParsedHeader parsed = parse(text, header);
    BOOST_TEST(parsed.err == EPROTO);
    BOOST_TEST(!parsed.reason.empty());
    BOOST_TEST((header == full_header()));
  }
}

BOOST_AUTO_TEST_CASE(a_checksum_finds_every_change) {
  BOOST_TEST(proxy::crc32c(bytes_of("123456789")) == 0xe3069283U);
  int err = -1;
  std::vector<std::byte> bytes = proxy::format_header(full_header(), err, {.checksum = true});
  Header out;
  BOOST_TEST(proxy::parse_header(bytes, out).err == 0);
  BOOST_TEST((out.find(Tlv::crc32c) != nullptr));
  for (std::size_t i = 16; i < bytes.size(); ++i) {
    bytes[i] ^= std::byte{0x40};
    const int found = proxy::parse_header(bytes, out).err;
    bytes[i] ^= std::byte{0x40};
    // A type or a length that was changed may hide the checksum, or make it another.
    if (found == 0) BOOST_TEST(i >= bytes.size() - 7);
    if (found != 0) BOOST_TEST(found == EPROTO);
  }
}

BOOST_AUTO_TEST_CASE(what_the_proxy_says_of_tls_is_read) {
  const std::string ssl = std::string("\x05\x00\x00\x00\x00", 5) + tlv(0x21, "TLSv1.3") + tlv(0x22, "alice") +
                          tlv(0x23, "TLS_AES") + tlv(0x24, "SHA256") + tlv(0x25, "RSA2048") + tlv(0x77, "?");
  Header header;
  BOOST_TEST_REQUIRE(parse(v2(0x21, 0x11, two_ipv4 + tlv(0x20, ssl)), header).err == 0);
  const auto info = header.ssl();
  BOOST_TEST_REQUIRE(info.has_value());
  BOOST_TEST(info->over_tls);
  BOOST_TEST(!info->has_certificate);
  BOOST_TEST(info->session_has_certificate);
  BOOST_TEST(info->is_verified);
  BOOST_TEST(info->version == "TLSv1.3");
  BOOST_TEST(info->common_name == "alice");
  BOOST_TEST(info->cipher == "TLS_AES");
  BOOST_TEST(info->signature_algorithm == "SHA256");
  BOOST_TEST(info->key_algorithm == "RSA2048");
}

BOOST_AUTO_TEST_CASE(nobody_is_verified_without_a_certificate_or_by_a_failure) {
  Header header;
  const auto info_of = [&header](const std::string& ssl) {
    BOOST_TEST_REQUIRE(parse(v2(0x21, 0x11, two_ipv4 + tlv(0x20, ssl)), header).err == 0);
    return header.ssl();
  };
  BOOST_TEST(!info_of(std::string("\x01\0\0\0\0", 5))->is_verified);
  BOOST_TEST(!info_of(std::string("\x07\0\0\0\x12", 5))->is_verified);
  BOOST_TEST(info_of(std::string("\x07\0\0\1\x12", 5))->verify_result == 0x112U);
  BOOST_TEST(!info_of(std::string("\x07\0\0\0", 4)).has_value());
  BOOST_TEST(!info_of(std::string("\x07\0\0\0\0", 5) + tlv(0x22, "alice").substr(0, 7)).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(proxy_network)

BOOST_AUTO_TEST_CASE(a_network_contains_its_addresses_alone) {
  const auto contains = [](const char* network, const char* address) {
    int err = -1;
    const proxy::Network parsed = proxy::Network::parse(network, err);
    BOOST_TEST_REQUIRE(err == 0);
    return parsed.contains(proxied(address));
  };
  BOOST_TEST(contains("10.0.0.0/8", "10.255.0.1:1"));
  BOOST_TEST(contains("10.0.0.0/8", "[::ffff:10.0.0.1]:1"));
  BOOST_TEST(!contains("10.0.0.0/8", "11.0.0.1:1"));
  BOOST_TEST(contains("192.0.2.128/25", "192.0.2.200:1"));
  BOOST_TEST(!contains("192.0.2.128/25", "192.0.2.127:1"));
  BOOST_TEST(contains("192.0.2.1", "192.0.2.1:7"));
  BOOST_TEST(!contains("192.0.2.1", "192.0.2.2:7"));
  BOOST_TEST(contains("0.0.0.0/0", "1.2.3.4:1"));
  BOOST_TEST(!contains("0.0.0.0/0", "[::1]:1"));
  BOOST_TEST(contains("::/0", "[2001:db8::1]:1"));
  BOOST_TEST(!contains("::/0", "1.2.3.4:1"));
  BOOST_TEST(contains("2001:db8::/33", "[2001:db8:7fff::1]:1"));
  BOOST_TEST(!contains("2001:db8::/33", "[2001:db8:8000::1]:1"));
  BOOST_TEST(!contains("::/0", "/run/socket"));
  BOOST_TEST(!proxy::Network().contains(proxied("0.0.0.0:0")));
}

BOOST_AUTO_TEST_CASE(a_network_prints_as_it_is_read) {
  for (const char* text : {"10.0.0.0/8", "192.0.2.1/32", "0.0.0.0/0", "2001:db8::/32", "::/0", "::1/128"}) {
    int err = -1;
    BOOST_TEST(proxy::Network::parse(text, err).to_string() == text);
    BOOST_TEST(err == 0);
  }
  BOOST_TEST(proxy::Network().to_string().empty());
}

BOOST_DATA_TEST_CASE(a_slip_in_a_network_is_refused,
                     data::make({"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/8x",
                                 "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0/8", "::1/129", "2001:db8::1/64",
                                 "[::]/0", "fe80::1%lo", "localhost", "10.0.0.0:80"}),
                     text) {
  int err = 0;
  BOOST_TEST((proxy::Network::parse(text, err) == proxy::Network()));
  BOOST_TEST(err == EINVAL);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tsock::test
