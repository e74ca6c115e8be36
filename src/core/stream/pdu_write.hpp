#pragma once

#include <cassert>
#include <memory>
#include <tsock/pdu.hpp>
#include <utility>

#include "core/stream/pdu_access.hpp"
#include "core/stream/write_state.hpp"

namespace tsock::inline v0::detail {

/// A write of a message that it owns: what was received goes on, or back, without a copy.
class PduWrite : public StreamWrite {
 public:
  static constexpr StateCache::Kind cached_as = StateCache::pdu_write;
  [[gnu::always_inline]] PduWrite(LoopCore& core, CallSite site) noexcept : StreamWrite(core, site) {}

  /// \pre it owns none
  void own(Pdu&& pdu) noexcept {
    assert(PduAccess::is_bare(pdu_));
    std::construct_at(&pdu_, std::move(pdu));  // spares the look at what is there
  }

 protected:
  /// Destroys what is owned, so that the state can be kept for the next message.
  void drop_owned() noexcept { PduAccess::reset(pdu_); }

 private:
  Pdu pdu_;
};

}  // namespace tsock::inline v0::detail
