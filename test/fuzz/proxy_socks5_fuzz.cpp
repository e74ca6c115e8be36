// The replies of SOCKS proxies: what becomes of them does not depend on the pieces that they come in. The
// first byte says whether there are credentials; the rest is what the proxy sends.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "fuzz/proxy_peer.hpp"
#include "proxy/socks5_engine.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tsock;
  if (size == 0) return 0;
  const std::span<const std::byte> input = std::as_bytes(std::span(data, size)).subspan(1);
  proxy::Socks5Options options;
  if ((data[0] & 1U) != 0) options = {.user = "alice", .password = "secret"};
  const proxy::Target target{.host = "example.org", .port = 443};
  proxy::Socks5Engine at_once(target, options);
  proxy::Socks5Engine in_bytes(target, options);
  if (fuzz::hear_proxy(at_once, input, size) != fuzz::hear_proxy(in_bytes, input, 1)) std::abort();
  return 0;
}
