#pragma once

#include <cstdint>

#include "core/stream_operation.hpp"

namespace tsock::detail {

/// disconnect, shutdown_write and monitor: requests that move no bytes.
class StreamControl final : public ResultState<void, StreamOperation> {
 public:
  enum class Kind : std::uint8_t { disconnect, shutdown_write, monitor };

  StreamControl(LoopCore& core, Kind kind, CallSite site)
      : ResultState(core, kind_name(kind), site), kind_(kind) {}

  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  void start_in_queue() override;
  void interrupt(int err) override;

 private:
  static const char* kind_name(Kind kind) noexcept {
    switch (kind) {
      case Kind::disconnect:
        return "disconnect";
      case Kind::shutdown_write:
        return "shutdown_write";
      case Kind::monitor:
        return "monitor";
    }
    return "control";
  }
  void leave_stream() noexcept;
  void on_delivery() noexcept override;
  void on_abandon() noexcept override;

  Kind kind_;
};

}  // namespace tsock::detail
