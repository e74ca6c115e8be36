#pragma once

#include <memory>
#include <utility>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::detail {

/// A backend that is destroyed at the end of a function, after the last use of the object it belonged to:
/// what the backend owns may destroy that object, the request that the function ends, and the Loop. The
/// parameter is StreamBackend or DatagramBackend.
template <class Backend>
class LeavingBackend {
 public:
  LeavingBackend(LoopCore& core, std::unique_ptr<Backend> backend) noexcept
      : keeper_(core), backend_(std::move(backend)) {}

 private:
  LoopCore::Keeper keeper_;  // until the backend has given back its memory
  std::unique_ptr<Backend> backend_;
};

}  // namespace tsock::inline v0::detail
