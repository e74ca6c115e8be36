#pragma once

#include <cstddef>
#include <span>
#include <tsock/detail/inline_function.hpp>
#include <tsock/message_size.hpp>
#include <utility>

namespace tsock::inline v0 {
class Loop;
}

namespace tsock::inline v0::detail {

class LoopCore;

TSOCK_EXPORT LoopCore& core_of(Loop& loop) noexcept;

/// A call of a measuring framing.
struct MeasureCall {
  std::span<const std::byte> bytes;
  MessageSize size = MessageSize::invalid();
};

/// A measuring framing as a function that is called with a MeasureCall.
template <MeasuringFraming F>
InlineFunction measure_function(Loop& loop, F framing) {
  InlineFunction function;
  function.emplace_first(core_of(loop), [fn = std::move(framing)](void* argument) mutable {
    auto* const call = static_cast<MeasureCall*>(argument);
    call->size = fn.size_of(call->bytes);
  });
  return function;
}

}  // namespace tsock::inline v0::detail
