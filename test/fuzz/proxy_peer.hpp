#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory_resource>
#include <span>
#include <string>
#include <tsock/layer/byte_block.hpp>
#include <tsock/layer/engine.hpp>
#include <vector>

namespace tsock::fuzz {

/// What a handshake made of what a peer says.
struct ProxyOutcome {
  int err = 0;
  bool is_done = false;
  std::vector<std::byte> sent = {};
  std::vector<std::byte> rest = {};  ///< behind the handshake
  std::string reason = {};
  friend bool operator==(const ProxyOutcome&, const ProxyOutcome&) = default;
};

/// The handshake with a peer that says `input` in pieces, and ends.
inline ProxyOutcome hear_proxy(layer::Engine& engine, std::span<const std::byte> input, std::size_t piece) {
  const auto require = [](bool condition) {
    if (!condition) std::abort();
  };
  ProxyOutcome outcome;
  layer::ByteBlock in(*std::pmr::new_delete_resource());
  layer::ByteBlock out(*std::pmr::new_delete_resource());
  bool at_end = false;
  for (;;) {
    const layer::Step step = engine.handshake(in, at_end, out);
    outcome.err = step.err;
    if (step.err != 0) break;
    if (step.input == 0) {
      outcome.is_done = true;
      break;
    }
    require(!at_end && step.input > in.size());  // it asks for what it has
    at_end = input.empty();
    const std::size_t size = std::min(piece, input.size());
    require(in.append(input.first(size)));
    input = input.subspan(size);
  }
  if (outcome.is_done) {
    // Asked again while its output has not left, it stays done, and takes nothing.
    const std::size_t before = in.size();
    const layer::Step again = engine.handshake(in, at_end, out);
    require(again.err == 0 && again.input == 0 && in.size() == before);
  }
  outcome.sent.assign(out.bytes().begin(), out.bytes().end());
  outcome.reason = engine.reason();
  require(outcome.is_done == outcome.reason.empty());
  if (outcome.is_done) {
    outcome.rest.assign(in.bytes().begin(), in.bytes().end());
    outcome.rest.insert(outcome.rest.end(), input.begin(), input.end());
  }
  return outcome;
}

}  // namespace tsock::fuzz
