#pragma once

#include <cstddef>
#include <span>
#include <tsock/message_room.hpp>
#include <tsock/pdu.hpp>
#include <tsock/stream_backend.hpp>

#include "core/stream/pdu_access.hpp"
#include "core/stream/stream_operation.hpp"

namespace tsock::inline v0::detail {

/// Reads one message of a backend that preserves message boundaries (StreamTraits::message_size).
class MessageState : public ResultState<Pdu, StreamRead>, private MessageRoom {
 public:
  static constexpr StateCache::Kind cached_as = StateCache::message;
  MessageState(LoopCore& core, CallSite site) noexcept : ResultState(core, site) {}
  [[nodiscard]] const char* name() const noexcept override { return "read_message"; }

  std::size_t feed(std::span<const std::byte> bytes) final;
  std::size_t space(std::span<iovec> /*out*/) final { return 0; }
  [[nodiscard]] bool reads_itself() const noexcept final { return true; }
  ssize_t read_itself(StreamBackend& backend, int& err) noexcept final {
    return backend.try_read_message(*this, err);
  }
  void advance(std::size_t bytes) final;
  void give_back(StreamReadSide& stream) override;
  void at_end(int err, StreamReadSide& stream) override;
  [[nodiscard]] bool wants_read_ahead() const noexcept override { return false; }

 protected:
  /// Whether the destructor would find nothing to do.
  [[nodiscard]] bool has_nothing_to_destroy() const noexcept {
    return PduAccess::is_bare(value_) && !has_callback();
  }

 private:
  std::span<std::byte> take(std::size_t size) noexcept final;
};

}  // namespace tsock::inline v0::detail
