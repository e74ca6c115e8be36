// Whatever is accepted, as text or as a sockaddr, must come back the same through both; what is refused must
// leave an error and no address.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tsock/address.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const tsock::Address& address, int err) {
  require(err >= 0 && address.is_empty() == (err != 0));
  if (err != 0) return;

  require(address.sockaddr_length() <= tsock::Address::storage_size);
  const tsock::Address from_text = tsock::Address::parse(address.to_string(), err);
  require(err == 0 && from_text == address && (from_text <=> address) == 0);
  require(from_text.to_string() == address.to_string());

  const tsock::Address old_form = tsock::Address::parse(address.string(), err);
  require(err != 0 || old_form == address);

  require(address.is_inet() + address.is_unix() + address.is_pipe() == 1);
  require((address.sockaddr_pointer() == nullptr) == address.is_pipe());
  if (address.is_pipe()) return;
  // A copy of just that size, so that a sanitizer sees a read beyond it.
  const auto* bytes = reinterpret_cast<const std::byte*>(address.sockaddr_pointer());
  const std::vector<std::byte> exact(bytes, bytes + address.sockaddr_length());
  const tsock::Address from_bytes =
      tsock::Address::from_sockaddr(reinterpret_cast<const sockaddr*>(exact.data()), exact.size(), err);
  require(err == 0 && from_bytes == address && from_bytes.hash() == address.hash());

  require(address.is_inet() == address.port().has_value());
  if (address.is_inet()) {
    const std::string ip = address.ip_string(err);
    require(tsock::Address::inet_from_strings("ip", ip, *address.port(), err) == address && err == 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr int unset = -1;
  const std::vector<std::uint8_t> exact(data, data + size);
  const std::string_view text(reinterpret_cast<const char*>(exact.data()), exact.size());

  int err = unset;
  const tsock::Address parsed = tsock::Address::parse(text, err);
  check(parsed, err);
  const std::string words = tsock::Address::parse_error_text(text);
  require(words.empty() == (err == 0));
  require(std::ranges::all_of(words, [](char c) { return c >= ' ' && c <= '~'; }));
  for (const char* family : {"ip", "ipv4", "ipv6"}) {
    err = unset;
    const tsock::Address host_port = tsock::Address::inet_from_hostport_strings(family, text, 4711, err);
    check(host_port, err);
    err = unset;
    const tsock::Address host = tsock::Address::inet_from_strings(family, text, 4711, err);
    check(host, err);
  }
  err = unset;
  const tsock::Address path = tsock::Address::unix_from_path(text, err);
  check(path, err);
  err = unset;
  const tsock::Address name = tsock::Address::unix_abstract(text, err);
  check(name, err);
  err = unset;
  const tsock::Address pipe = tsock::Address::pipe_from_name(text, err);
  check(pipe, err);
  err = unset;
  const auto* system = reinterpret_cast<const sockaddr*>(exact.data());
  const tsock::Address from_system = tsock::Address::from_sockaddr(system, exact.size(), err);
  check(from_system, err);
  return 0;
}
