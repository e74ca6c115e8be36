#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// PDUs of DCERPC for tests, each in one fragment.
namespace tsock::test {

inline constexpr char rpc_bind_ack = 12;
inline constexpr char rpc_response = 2;
inline constexpr std::size_t type_of_rpc_pdu = 2;

inline constexpr std::string_view epmapper_interface(
    "\x08\x83\xaf\xe1\x1f\x5d\xc9\x11\x91\xa4\x08\x00\x2b\x14\xa0\xfa\x03\x00\x00\x00", 20);
inline constexpr std::string_view srvsvc_interface(
    "\xc8\x4f\x32\x4b\x70\x16\xd3\x01\x12\x78\x5a\x47\xbf\x6e\xe1\x88\x03\x00\x00\x00", 20);

inline std::string little_endian(std::uint32_t value, std::size_t width) {
  std::string text;
  for (; width != 0; --width, value >>= 8U) text.push_back(static_cast<char>(value & 0xffU));
  return text;
}

inline std::string rpc_pdu(char type, std::uint32_t call, const std::string& body) {
  return std::string("\5\0", 2) + type + "\3\x10" + std::string(3, '\0') +
         little_endian(static_cast<std::uint32_t>(16 + body.size()), 2) + std::string(2, '\0') +
         little_endian(call, 4) + body;
}

inline std::string rpc_bind(std::string_view interface) {
  constexpr std::string_view ndr(
      "\x04\x5d\x88\x8a\xeb\x1c\xc9\x11\x9f\xe8\x08\x00\x2b\x10\x48\x60\x02\x00\x00\x00", 20);
  return rpc_pdu('\x0b', 1,
                 std::string("\xd0\x16\xd0\x16") + std::string(4, '\0') + "\1" + std::string(5, '\0') + "\1" +
                     std::string(1, '\0') + std::string(interface) + std::string(ndr));
}

inline std::string rpc_request(std::uint32_t operation, const std::string& stub) {
  return rpc_pdu('\0', 2,
                 little_endian(static_cast<std::uint32_t>(stub.size()), 4) + std::string(2, '\0') +
                     little_endian(operation, 2) + stub);
}

/// NetrRemoteTOD of srvsvc, with a null name, which is the server's own.
inline std::string rpc_time_request() { return rpc_request(28, std::string(4, '\0')); }

}  // namespace tsock::test
