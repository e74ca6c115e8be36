// Both sides of NPA against a peer that sends anything, in pieces: a handshake, then messages. The first byte
// is the role, and how long the pieces are.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <memory_resource>
#include <span>
#include <string>
#include <tsock/message_room.hpp>
#include <tsock/npa/npa.hpp>
#include <tsock/stream_backend.hpp>
#include <utility>
#include <vector>

#include "layer/replacing_engine.hpp"
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

/// Gives what is left of the input in pieces, and then the end.
class PieceBackend final : public StreamBackend {
 public:
  PieceBackend(std::span<const std::byte> input, std::size_t piece) noexcept : input_(input), piece_(piece) {}
  void attach(StreamEvents& /*events*/) noexcept override {}
  ssize_t try_readv(std::span<const iovec> vectors, int& err) noexcept override {
    // Each piece is followed by a call that gives nothing.
    if (waits_ = !waits_; !waits_) {
      err = EAGAIN;
      return -1;
    }
    const std::span<const std::byte> bytes =
        input_.first(std::min({piece_, input_.size(), vectors[0].iov_len}));
    std::ranges::copy(bytes, static_cast<std::byte*>(vectors[0].iov_base));
    input_ = input_.subspan(bytes.size());
    return static_cast<ssize_t>(bytes.size());
  }
  ssize_t try_writev(std::span<const iovec> /*vectors*/, int& err) noexcept override {
    err = EAGAIN;
    return -1;
  }
  int try_shutdown_write() noexcept override { return ENOTSUP; }
  int try_disconnect(Linger& /*linger*/) noexcept override { return 0; }
  void abort() noexcept override {}
  Readiness want_readable() noexcept override { return Readiness::later; }
  Readiness want_writable() noexcept override { return Readiness::later; }
  void want_broken() noexcept override {}
  std::size_t pending_bytes(int& /*err*/) noexcept override { return 0; }

 private:
  std::span<const std::byte> input_;
  std::size_t piece_;
  bool waits_ = false;
};

/// Refuses every third message.
class FuzzedRoom final : public MessageRoom {
 public:
  std::span<std::byte> take(std::size_t size) noexcept override {
    require(size != 0 && size <= npa::PipeCodec::longest_data);
    asked = size;
    has_room = ++calls_ % 3 != 0;
    if (!has_room) return {};
    bytes_.resize(size);
    return bytes_;
  }
  std::size_t asked = 0;
  bool has_room = true;

 private:
  unsigned calls_ = 0;
  std::vector<std::byte> bytes_;
};

// By messages and by bytes in turns, until the end or an error, which stays.
void read_messages(StreamBackend& stream, std::size_t size) {
  FuzzedRoom room;
  std::array<std::byte, 100> buffer{};
  const iovec vector = make_vector(std::span<std::byte>(buffer));
  std::size_t total = 0;
  for (unsigned turn = 0;; ++turn) {
    int err = 0;
    room.has_room = true;
    const bool by_bytes = turn % 4 == 3;
    const ssize_t given = by_bytes ? stream.try_readv({&vector, 1}, err) : stream.try_read_message(room, err);
    if (given > 0) {
      total += static_cast<std::size_t>(given);
      require(total <= size);
      require(by_bytes || static_cast<std::size_t>(given) == room.asked);
      int failure = 0;
      require(stream.pending_bytes(failure) <= npa::PipeCodec::longest_data);
      continue;
    }
    if (!room.has_room) {
      int failure = 0;
      require(given < 0 && err == EAGAIN && stream.want_readable() == Readiness::now);
      require(stream.pending_bytes(failure) == room.asked);
      continue;
    }
    if (given < 0 && err == EAGAIN) continue;
    require(given == 0 || err == EIO || err == EPROTO);
    int again = 0;
    require(stream.try_readv({&vector, 1}, again) == given && (given == 0 || again == err));
    return;
  }
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
  std::span<const std::byte> unread = in.bytes();
  const std::unique_ptr<StreamBackend> stream = dynamic_cast<layer::ReplacingEngine&>(*engine).replace(
      std::make_unique<PieceBackend>(rest, piece), unread);
  if (stream->traits().message_size != 0) read_messages(*stream, size);
  return 0;
}
