#pragma once

#include <cstddef>
#include <span>
#include <tsock/pdu.hpp>

#include "core/stream/pdu_access.hpp"
#include "core/stream/stream_operation.hpp"

namespace tsock::inline v0::detail {

/// Reads one message of a backend that preserves message boundaries (StreamTraits::message_size).
class MessageState : public ResultState<Pdu, StreamRead> {
 public:
  MessageState(LoopCore& core, CallSite site) noexcept : ResultState(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return "read_message"; }

  std::size_t feed(std::span<const std::byte> bytes) final;
  std::size_t space(std::span<iovec> out) final;
  void advance(std::size_t bytes) final;
  void give_back(StreamReadSide& stream) override;
  void at_end(int err, StreamReadSide& stream) override;
  [[nodiscard]] bool wants_read_ahead() const noexcept override { return false; }
};

}  // namespace tsock::inline v0::detail
