#pragma once

#include <cstdint>
#include <memory>
#include <tsock/address.hpp>
#include <tsock/detail/request_state.hpp>
#include <tsock/lifecycle.hpp>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0 {
class Stream;
}

namespace tsock::inline v0::detail {

/// What is kept of a stream whose end will be told to the observer of lifecycles.
struct StreamLife {
  std::uint64_t number;
  std::uint64_t began_ms;
  Address remote;

  /// Tells the end.
  void end(LoopCore& core, const char* how, int err, std::string_view reason) const noexcept;
};

/// Tells that the request, which is about to be delivered, has made the stream, or has failed when that is
/// empty. \param life of the stream below, of a layer; else null. A stream is given it, or a new one
void tell_made(LifecycleKind kind, const RequestState& request, const Stream& stream, const Address& remote,
               std::unique_ptr<StreamLife> life) noexcept;

}  // namespace tsock::inline v0::detail
