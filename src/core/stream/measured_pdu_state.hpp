#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <tsock/detail/inline_function.hpp>
#include <tsock/message_size.hpp>
#include <tsock/pdu.hpp>
#include <utility>

#include "core/stream/pdu_access.hpp"
#include "core/stream/stream_operation.hpp"

namespace tsock::inline v0::detail {

/// Reads one message whose size a function of the user tells.
class MeasuredPduState : public ResultState<Pdu, StreamRead> {
 public:
  MeasuredPduState(LoopCore& core, CallSite site, std::size_t max_message) noexcept
      : ResultState(core, site), max_message_(max_message) {}
  [[nodiscard]] const char* name() const noexcept override { return "readv_pdu"; }
  /// Asks it for the first time. \return an errno value, with which the read cannot begin
  int set_function(InlineFunction measure) noexcept;

  std::size_t feed(std::span<const std::byte> bytes) final;
  std::size_t space(std::span<iovec> out) final;
  void advance(std::size_t bytes) final;
  void give_back(StreamReadSide& stream) override;
  void at_end(int err, StreamReadSide& stream) override;

 private:
  static constexpr std::size_t largest_message = 0x7fffffff;
  static constexpr std::size_t largest_header = 0xff;

  /// Measures the bytes so far. \return an errno value that ends the read
  int measure() noexcept;
  int begin_message(std::size_t size, std::size_t header) noexcept;
  void grow() noexcept;
  /// Where the next bytes go. Never empty while the message is incomplete.
  [[nodiscard]] std::span<std::byte> room() noexcept;

  InlineFunction measure_;
  std::size_t max_message_;
  std::size_t got_ = 0;
  std::size_t needed_ = 0;  // bytes of `begin_`, until the size is known
  std::array<std::byte, largest_measured_begin> begin_;
};

}  // namespace tsock::inline v0::detail
