#pragma once

#include <chrono>
#include <cstdint>
#include <tsock/disconnect_options.hpp>
#include <tsock/request.hpp>
#include <tsock/stream_backend.hpp>

#include "core/stream/stream_operation.hpp"

namespace tsock::detail {

enum class StreamControlKind : std::uint8_t { disconnect, shutdown_write, monitor, drain };

/// disconnect, shutdown_write, monitor and drain, which waits for the writes that were started: requests that
/// move no bytes.
class StreamControl : public ResultState<void, StreamOperation> {
 public:
  using Kind = StreamControlKind;

  StreamControl(LoopCore& core, Kind kind, CallSite site) : ResultState(core, site), kind_(kind) {}
  [[nodiscard]] const char* name() const noexcept override;

  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  /// Whether it is at the front of the stream's list, instead of waiting in a queue.
  void set_controlling(bool controls) noexcept {
    if (controls) {
      mark(controlling);
    } else {
      unmark(controlling);
    }
  }
  void start_in_queue() override;
  void begin_in_queue() override;
  bool undo_start() noexcept override { return is_waiting(); }
  void interrupt(int err) override;
  void on_deadline() override;

 protected:
  void on_delivery() noexcept override;

 private:
  /// Whether it is among those that wait in a queue, while it has a stream.
  [[nodiscard]] bool is_waiting() const noexcept { return is_unfinished() && !has(controlling); }
  void leave_stream() noexcept;
  void on_abandon() noexcept override;

  Kind kind_;
};

/// A disconnect, which lingers for a while. The end of the linger time is its own deadline.
class StreamDisconnect : public StreamControl {
 public:
  StreamDisconnect(LoopCore& core, const DisconnectOptions& options, CallSite site);

  [[nodiscard]] Linger& linger() noexcept { return linger_; }
  /// Waits for the next try: for an event, the time that the backend has given, or the end of the linger
  /// time.
  void wait();
  void take_discarded() noexcept { add_transferred(linger_.discarded - transferred()); }

  [[nodiscard]] Clock::time_point own_deadline() const noexcept override { return end_; }
  void on_deadline() override;

 private:
  Clock::time_point end_;
  Linger linger_;
  Request<void> pause_;
  bool waits_ = false;
};

}  // namespace tsock::detail
