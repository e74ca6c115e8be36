#include <tsock/loop.hpp>
#include <tsock/operation.hpp>

#include "core/loop/loop_core.hpp"

namespace tsock::detail {

ParentScope::ParentScope(RequestState& parent) noexcept
    : core_(&parent.core()), previous_(core_->exchange_parent(parent.id())) {}

ParentScope::~ParentScope() { core_->exchange_parent(previous_); }

LoopCore& core_of(Loop& loop) noexcept { return loop.core(); }

}  // namespace tsock::detail
