#include <tsock/loop.hpp>
#include <tsock/operation.hpp>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::detail {

ParentScope::ParentScope(RequestState& parent) noexcept
    : core_(&parent.core()), previous_(core_->census().exchange_current_parent(parent.id())) {}

ParentScope::~ParentScope() { core_->census().set_current_parent(previous_); }

bool is_beginning(const LoopCore& core, const RequestState* state) noexcept {
  return core.is_beginning(state);
}

LoopCore& core_of(Loop& loop) noexcept { return loop.core(); }

}  // namespace tsock::inline v0::detail
