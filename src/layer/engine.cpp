#include <tsock/layer/engine.hpp>

namespace tsock::inline v0::layer {

Step Engine::unwrap_message(ByteBlock& in, bool at_end, MessageRoom& room, std::size_t& given,
                            ByteBlock& out) noexcept {
  if (ready() == 0) {
    const Step step = unwrap(in, at_end, {}, given, out);
    if (ready() == 0) return step;
  }
  const std::span<std::byte> target = room.take(ready());
  if (target.empty()) return {};
  const iovec vector = make_vector(target);
  return unwrap(in, at_end, {&vector, 1}, given, out);
}

}  // namespace tsock::inline v0::layer
