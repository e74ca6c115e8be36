#pragma once

#include <chrono>
#include <cstdint>
#include <tsock/disconnect_options.hpp>
#include <tsock/request.hpp>
#include <tsock/stream_backend.hpp>

#include "core/stream/stream_operation.hpp"

namespace tsock::inline v0::detail {

enum class StreamControlKind : std::uint8_t { disconnect, shutdown_write, monitor, drain };

/// A request that moves no bytes: disconnect, shutdown_write, monitor or drain, which waits for the writes
/// that were started.
class StreamControl : public ResultState<void, StreamOperation> {
 public:
  using Kind = StreamControlKind;

  StreamControl(LoopCore& core, Kind kind, CallSite site) : ResultState(core, site), kind_(kind) {}
  [[nodiscard]] const char* name() const noexcept override;

  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  /// Sets whether the request is at the front of the stream's list, instead of waiting in a queue.
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
  /// Whether the request waits in a queue. \pre stream() is set
  [[nodiscard]] bool is_waiting() const noexcept { return is_unfinished() && !has(controlling); }
  void leave_stream() noexcept;
  void on_abandon() noexcept override;

  Kind kind_;
};

/// A disconnect, which lingers for a while. Its own deadline is the end of the linger time.
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
  void on_delivery() noexcept override;

 private:
  Clock::time_point end_;
  Linger linger_;
  Request<void> pause_;
  bool waits_ = false;
};

}  // namespace tsock::inline v0::detail
