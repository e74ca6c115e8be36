// A stream that transforms: an engine combines each byte with a key on its way through another stream.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <tsock/layer/layer_over.hpp>
#include <tsock/tsock.hpp>
#include <utility>

namespace {

using tsock::layer::ByteBlock;
using tsock::layer::Step;

class XorEngine final : public tsock::layer::Engine {
 public:
  explicit XorEngine(std::byte key) : key_(key) {}

  // Nothing has to be agreed on.
  Step handshake(ByteBlock& /*in*/, bool /*at_end*/, ByteBlock& /*out*/) noexcept override { return {}; }

  Step unwrap(ByteBlock& in, bool at_end, std::span<const tsock::iovec> to, std::size_t& given,
              ByteBlock& /*out*/) noexcept override {
    bool is_full = true;
    std::size_t skip = given;
    const std::size_t before = given;
    for (const tsock::iovec& vector : to) {
      const std::size_t begin = std::min(skip, vector.iov_len);
      const std::size_t step = std::min(vector.iov_len - begin, in.size());
      std::ranges::transform(in.bytes().first(step), static_cast<std::byte*>(vector.iov_base) + begin,
                             [this](std::byte byte) { return byte ^ key_; });
      in.take(step);
      given += step;
      skip -= begin;
      is_full = begin + step == vector.iov_len;
    }
    ready_ = in.size();
    if (ready_ != 0 || (is_full && !to.empty())) return {};
    if (at_end) return {.err = given == before ? EPIPE : 0};
    return {.input = 1};
  }
  [[nodiscard]] std::size_t ready() const noexcept override { return ready_; }

  Step wrap(std::span<const tsock::iovec> from, std::size_t& taken, ByteBlock& out) noexcept override {
    std::size_t skip = taken;
    for (const tsock::iovec& vector : from) {
      const std::size_t begin = std::min(skip, vector.iov_len);
      skip -= begin;
      const std::span bytes(static_cast<const std::byte*>(vector.iov_base) + begin, vector.iov_len - begin);
      if (bytes.empty()) continue;
      if (out.size() >= most_output) break;
      const std::span<std::byte> room = out.room(bytes.size());
      if (room.empty()) return {.err = ENOMEM};
      std::ranges::transform(bytes, room.begin(), [this](std::byte byte) { return byte ^ key_; });
      out.put(bytes.size());
      taken += bytes.size();
    }
    return {};
  }

 private:
  std::byte key_;
  std::size_t ready_ = 0;
};

tsock::Request<tsock::Stream> xor_over(tsock::Stream below, std::byte key) {
  return tsock::layer::layer_over(std::move(below), std::make_unique<XorEngine>(key), "xor");
}

}  // namespace

int main() {
  tsock::Loop loop;
  auto [near, far] = tsock::memory_stream_pair(loop);
  auto near_layer = xor_over(std::move(near), std::byte{0x5a});
  auto far_layer = xor_over(std::move(far), std::byte{0x5a});
  int err = 0;
  if (!near_layer.wait(err) || !far_layer.wait(err)) return 1;
  tsock::Stream left = near_layer.recv(err);
  tsock::Stream right = far_layer.recv(err);

  auto writing = left.write(std::string("exact reads work over every engine\n"));
  auto reading = right.readv_pdu(tsock::framing::line{});
  if (!reading.wait(err)) return 1;
  const tsock::Pdu line = reading.recv(err);
  std::printf("%.*s\n", static_cast<int>(line.body().size()),
              reinterpret_cast<const char*>(line.body().data()));
  std::move(left).disconnect().detach();
  std::move(right).disconnect().detach();
  loop.run();
  return err;
}
