#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <tsock/request.hpp>
#include <tsock/tcp_info.hpp>

#include "channel.hpp"
#include "flow.hpp"
#include "quiet_timer.hpp"
#include "rare.hpp"
#include "services.hpp"
#include "stopwatch.hpp"

namespace tsock_cat {

/// Bytes or datagrams both ways between the local channel (standard input and output, or the first of two
/// ADDRESSes) and the remote one, and the rules for how that ends.
class Relay final : private FlowOwner {
 public:
  using OnEnd = std::function<void(const Failure& failure)>;

  /// `on_end` is called once, from the loop; it may destroy the relay.
  Relay(const Services& services, std::uint64_t connection, Channel local, Channel remote, OnEnd on_end);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay() = default;

  void start();
  /// Ends it from outside, and tells `on_end` of the failure: nothing more is moved, what was written still
  /// arrives, within a short time. A peer for which bytes are held back that were read sees a reset.
  void stop(const Failure& failure);
  [[nodiscard]] Counters counters() const;
  /// Of its TCP connection, the remote one of two; at the end what was last known.
  [[nodiscard]] std::optional<tsock::TcpInfo> tcp_info() const;
  [[nodiscard]] std::size_t queued_bytes() const;

 private:
  using Clock = std::chrono::steady_clock;

  struct End {
    Channel* channel = nullptr;
    std::string_view side;  // what the report calls it
  };

  // One way from source to sink.
  struct Way {
    End from;
    End to;
    std::unique_ptr<Flow> flow;
    std::uint64_t offset = 0;     // bytes in the transcript so far
    Rare<tsock::Address> sender;  // of the last datagram, where many are heard
    bool done = false;
    tsock::Request<void> shutdown;
  };

  void on_bytes(Direction direction, std::span<const std::byte> bytes, const tsock::Address& from) override;
  void on_lost(Direction direction, Place place, int err, std::size_t size) override;
  void on_done(Direction direction) override;
  void on_error(Direction direction, const FlowError& error) override;

  void make_flow(Direction direction);
  Flow::Settings flow_settings(Direction direction);
  [[nodiscard]] bool looks_at_bytes(Direction direction) const;
  void end_sending(Direction direction);
  void on_shutdown(Direction direction, const FlowError& error);
  void after_local_end();
  void watch_program(Channel& channel);
  [[nodiscard]] bool is_program_over() const;
  void begin_bench();
  void begin_capture();
  void watch_peer();
  void look_at_peer();
  [[nodiscard]] bool has_all(Direction direction) const;
  void watch_idle(Clock::time_point when);
  void end_when_quiet(const End& side);
  [[nodiscard]] bool sends_only() const;
  void end_if_over();
  void end(const Failure& failure);
  void stop_moving(const Failure& failure);
  void reset_cut_sinks();
  void finish();
  void disconnect(tsock::Stream& stream, const Channel& channel, Duration linger);
  [[nodiscard]] std::uint64_t bytes_written() const;
  [[nodiscard]] Way& way(Direction direction) { return ways_[static_cast<std::size_t>(direction)]; }
  [[nodiscard]] const Way& way(Direction direction) const {
    return ways_[static_cast<std::size_t>(direction)];
  }

  Services services_;
  std::uint64_t connection_;
  Channel local_;
  Channel remote_;
  OnEnd on_end_;
  std::array<Way, 2> ways_;
  Failure failure_;  // of sending, while what the peer still has to say is read; later how it ended
  Failure lost_;     // a datagram that was not sent: the end is not a clean one
  bool ended_ = false;
  bool has_enough_ = false;  // of what --read-exact and -W ask for
  Counters final_counters_;
  Rare<tsock::TcpInfo> final_tcp_;
  Stopwatch age_;
  Clock::time_point last_activity_;
  std::uint64_t written_at_last_check_ = 0;
  tsock::Request<void> idle_;
  tsock::Request<void> quit_;
  tsock::Request<tsock::ExitStatus> exit_;  // of a program
  bool has_exited_ = false;
  tsock::Request<void> bench_;
  tsock::Request<void> peer_gone_;
  QuietTimer quiet_;
  std::array<tsock::Request<void>, 3> disconnects_;
  std::size_t disconnects_left_ = 0;
};

}  // namespace tsock_cat
