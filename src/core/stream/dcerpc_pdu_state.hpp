#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <tsock/framing.hpp>
#include <tsock/pdu.hpp>

#include "core/stream/pdu_access.hpp"
#include "core/stream/stream_operation.hpp"

namespace tsock::inline v0::detail {

/// Reads one DCERPC fragment.
class DcerpcPduState : public ResultState<Pdu, StreamRead> {
 public:
  DcerpcPduState(LoopCore& core, CallSite site, const Framing& framing) noexcept
      : ResultState(core, site), max_body_(framing.max_body) {}
  [[nodiscard]] const char* name() const noexcept override { return "readv_pdu"; }

  std::size_t feed(std::span<const std::byte> bytes) final;
  std::size_t space(std::span<iovec> out) final;
  void advance(std::size_t bytes) final;
  void give_back(StreamReadSide& stream) override;
  void at_end(int err, StreamReadSide& stream) override;

 private:
  /// Where the next bytes go. Never empty while the message is incomplete.
  [[nodiscard]] std::span<std::byte> room() noexcept;
  void begin_body();

  std::size_t max_body_;
  std::size_t got_ = 0;
  std::array<std::byte, Framing::dcerpc_header_size> header_{};
};

}  // namespace tsock::inline v0::detail
