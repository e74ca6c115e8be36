#pragma once

#include <tsock/detail/inline_function.hpp>
#include <tsock/export.hpp>
#include <tsock/vector_list.hpp>
#include <utility>

namespace tsock::inline v0 {
class Loop;
}

namespace tsock::inline v0::detail {

class LoopCore;

TSOCK_EXPORT LoopCore& core_of(Loop& loop) noexcept;

/// A call of the user's next-vector function.
struct NextVectorCall {
  VectorList* next;
  int result;
};

/// The user's next-vector function as one that is called with a NextVectorCall.
template <class F>
InlineFunction next_vector_function(Loop& loop, F next) {
  InlineFunction function;
  function.emplace_first(core_of(loop), [fn = std::move(next)](void* argument) mutable {
    auto* const call = static_cast<NextVectorCall*>(argument);
    call->result = fn(*call->next);
  });
  return function;
}

}  // namespace tsock::inline v0::detail
