#pragma once

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tsock/tsock.hpp>
#include <utility>
#include <vector>

#include "support/loop_fixture.hpp"

/// As much of LDAP (RFC 4511) as both sides of a bind with SASL and a search need.
namespace tsock::test {

/// Tags of BER, as LDAP has them.
namespace ldap {
inline constexpr unsigned char integer = 0x02, octets = 0x04, enumerated = 0x0a, sequence = 0x30, set = 0x31;
inline constexpr unsigned char bind_request = 0x60, bind_response = 0x61, unbind_request = 0x42;
inline constexpr unsigned char search_request = 0x63, search_entry = 0x64, search_done = 0x65;
inline constexpr unsigned char extended_request = 0x77, extended_response = 0x78;
inline constexpr unsigned char sasl = 0xa3, server_credentials = 0x87, present = 0x87;
inline constexpr unsigned char request_name = 0x80, response_value = 0x8b;
inline constexpr int success = 0, in_progress = 14, invalid_credentials = 49;
inline constexpr std::string_view whoami = "1.3.6.1.4.1.4203.1.11.3";
inline constexpr std::string_view start_tls = "1.3.6.1.4.1.1466.20037";

/// An element: tag, length, content.
inline std::string element(unsigned char tag, std::string_view content) {
  std::string text(1, static_cast<char>(tag));
  if (content.size() < 0x80) {
    text += static_cast<char>(content.size());
  } else {
    text += '\x84';
    for (unsigned shift = 32; shift != 0;)
      text += static_cast<char>((content.size() >> (shift -= 8)) & 0xffU);
  }
  return text.append(content);
}
/// 0 to 127.
inline std::string number(int value, unsigned char tag = integer) {
  return element(tag, std::string(1, static_cast<char>(value)));
}
inline std::string message(int id, std::string_view operation) {
  return element(sequence, number(id) + std::string(operation));
}

/// Elements one behind the other.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] bool at_end() const noexcept { return bytes_.empty(); }
  [[nodiscard]] unsigned char tag() const { return static_cast<unsigned char>(bytes_.at(0)); }
  /// The content of the next one.
  std::string_view next() {
    std::size_t header = 2;
    std::size_t length = static_cast<unsigned char>(bytes_.at(1));
    if (length >= 0x80) {
      header += length - 0x80;
      length = 0;
      for (std::size_t i = 2; i < header; ++i)
        length = length << 8U | static_cast<unsigned char>(bytes_.at(i));
    }
    const std::string_view content = bytes_.substr(header, length);
    BOOST_TEST_REQUIRE(content.size() == length);
    bytes_.remove_prefix(header + length);
    return content;
  }
  int next_number() {
    int value = 0;
    for (const char byte : next()) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }

 private:
  std::string_view bytes_;
};

/// A message that came.
struct Message {
  int id = 0;
  unsigned char operation = 0;
  std::string content = {};
};

/// What a server says to an operation.
struct Result {
  int code = -1;
  std::string words = {};
  std::optional<std::string> bytes = {};  ///< of the server, for SASL, or the value of an extended response
};

inline Result result_of(const Message& message) {
  Reader reader(message.content);
  Result result{.code = reader.next_number()};
  reader.next();
  result.words = reader.next();
  while (!reader.at_end()) {
    const unsigned char tag = reader.tag();
    const std::string_view content = reader.next();
    if (tag == server_credentials || tag == response_value) result.bytes = content;
  }
  return result;
}
inline std::string result_message(int id, unsigned char operation, int code, std::string_view more = {}) {
  return message(id, element(operation, number(code, enumerated) + element(octets, "") + element(octets, "") +
                                            std::string(more)));
}
inline std::string entry(int id, std::string_view name, std::string_view attribute, std::string_view value) {
  const std::string values = element(octets, attribute) + element(set, element(octets, value));
  return message(id,
                 element(search_entry, element(octets, name) + element(sequence, element(sequence, values))));
}
}  // namespace ldap

struct LdapFixture : LoopFixture {
  void send(Stream& stream, std::string_view bytes) {
    Request<ssize_t> writing = stream.write(bytes);
    BOOST_TEST_REQUIRE(error_of(writing) == 0, writing.reason());
  }
  std::string receive(Stream& stream, std::size_t size) {
    std::vector<std::byte> bytes(size);
    if (size == 0) return {};
    Request<ssize_t> reading = stream.read(bytes);
    BOOST_TEST_REQUIRE(error_of(reading) == 0, reading.reason());
    return text_of(bytes);
  }
  ldap::Message receive(Stream& stream) {
    std::string bytes = receive(stream, 2);
    std::size_t length = static_cast<unsigned char>(bytes[1]);
    if (length >= 0x80) {
      const std::string more = receive(stream, length - 0x80);
      length = 0;
      for (const char byte : more) length = length << 8U | static_cast<unsigned char>(byte);
      bytes += more;
    }
    bytes += receive(stream, length);
    ldap::Reader all(bytes);
    ldap::Reader reader(all.next());
    ldap::Message message{.id = reader.next_number(), .operation = reader.tag()};
    message.content = reader.next();
    return message;
  }
};

}  // namespace tsock::test
