// Both sides of NPA against a peer that sends anything, in pieces: a handshake, then messages. The first byte
// is the role, and how long the pieces are.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <memory_resource>
#include <span>
#include <string>
#include <tsock/npa/npa.hpp>
#include <utility>

#include "npa/pipe_codec.hpp"
#include "npa/request.hpp"

namespace {

using namespace tsock;

std::unique_ptr<layer::Engine> make_side(bool is_client, std::pmr::memory_resource& memory) {
  if (!is_client) return npa::make_engine(std::make_unique<npa::ServerCodec>(npa::AcceptOptions()), memory);
  npa::SecretBytes request;
  std::string reason;
  if (npa::encode_request(npa::Identity::anonymous({}, {}), npa::Level::level7, request, reason) != 0)
    std::abort();
  return npa::make_engine(std::make_unique<npa::ClientCodec>(std::move(request), npa::Level::level7), memory);
}

void require(bool right) {
  if (!right) std::abort();
}

/// Gives the engine the next piece. \return false when there is none
bool feed(layer::ByteBlock& in, std::span<const std::byte>& rest, std::size_t piece) {
  const std::size_t size = std::min(piece, rest.size());
  require(in.append(rest.first(size)));
  rest = rest.subspan(size);
  return size != 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::pmr::memory_resource& memory = *std::pmr::new_delete_resource();
  const std::unique_ptr<layer::Engine> engine = make_side((data[0] & 1U) != 0, memory);
  const std::size_t piece = 1 + (data[0] >> 1U) * std::size_t{5};
  std::span<const std::byte> rest = std::as_bytes(std::span(data, size)).subspan(1);
  layer::ByteBlock in(memory);
  layer::ByteBlock out(memory);
  bool at_end = false;
  for (;;) {
    const layer::Step step = engine->handshake(in, at_end, out);
    if (step.err != 0) return 0;
    if (step.input == 0) break;
    require(!at_end && in.size() < step.input && step.input <= 4 + 0x00ffffff);
    at_end = !feed(in, rest, piece);
  }
  if (engine->is_transparent()) return 0;

  std::array<std::byte, 100> buffer{};
  std::size_t total = 0;
  for (;;) {
    const iovec vector = make_vector(std::span<std::byte>(buffer));
    std::size_t given = 0;
    const layer::Step step = engine->unwrap(in, at_end, {&vector, 1}, given, out);
    total += given;
    require(given <= buffer.size() && total <= size && engine->ready() <= npa::PipeCodec::longest_data);
    if (step.err != 0) {
      require(given == 0);
      break;
    }
    if (engine->ready() == 0 && step.input != 0 && !at_end) at_end = !feed(in, rest, piece);
    if (given == 0) require(at_end || step.input != 0);
  }
  // An error stays.
  std::size_t given = 0;
  require(engine->unwrap(in, true, {}, given, out).err != 0 && given == 0);
  return 0;
}
