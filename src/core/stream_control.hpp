#pragma once

#include <cstdint>

#include "core/stream_operation.hpp"

namespace tsock::detail {

enum class StreamControlKind : std::uint8_t { disconnect, shutdown_write, monitor };

/// disconnect, shutdown_write and monitor: requests that move no bytes.
class StreamControl : public ResultState<void, StreamOperation> {
 public:
  using Kind = StreamControlKind;

  StreamControl(LoopCore& core, Kind kind, CallSite site) : ResultState(core, site), kind_(kind) {}
  [[nodiscard]] const char* name() const noexcept override;

  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  void start_in_queue() override;
  void begin_in_queue() override;
  bool undo_start() noexcept override { return has(waiting); }
  void interrupt(int err) override;

 private:
  void leave_stream() noexcept;
  void on_delivery() noexcept override;
  void on_abandon() noexcept override;

  Kind kind_;
};

}  // namespace tsock::detail
