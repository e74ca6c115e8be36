// The server of TLS against a client that sends anything, and against one whose bytes are harmed on their
// way.
#include "fuzz/tls_peer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  tsock::fuzz::fuzz_side(false, std::as_bytes(std::span(bytes, size)));
  return 0;
}
