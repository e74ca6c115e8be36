#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <tsock/tcp_info.hpp>

#include "channel.hpp"
#include "opener.hpp"
#include "ping.hpp"
#include "relay.hpp"
#include "services.hpp"

namespace tsock_cat {

/// One connection from its opening to its end: opens the endpoints that were not accepted, then relays, or
/// pings.
class Session {
 public:
  /// What was accepted already, in the order of the command line.
  using Accepted = std::array<std::optional<Channel>, 2>;
  using OnEnd = std::function<void(const Failure& failure)>;

  /// `on_end` is called once; it must not destroy the session before it returned to the loop.
  Session(const Services& services, std::uint64_t connection, Accepted accepted, OnEnd on_end);

  void start() { open_next(); }
  /// Ends it from outside, see `Relay::stop()`.
  void stop(const Failure& failure);
  [[nodiscard]] bool is_over() const noexcept { return over_; }
  [[nodiscard]] std::uint64_t connection() const noexcept { return connection_; }
  [[nodiscard]] Counters counters() const;
  [[nodiscard]] std::optional<tsock::TcpInfo> tcp_info() const;
  [[nodiscard]] std::size_t queued_bytes() const;

 private:
  void open_next();
  std::unique_ptr<Accepted> end_opening();
  void end(const Failure& failure);

  Services services_;
  std::uint64_t connection_;
  tsock::Address peer_;                 // who was accepted
  std::unique_ptr<Accepted> channels_;  // until the relay has them
  OnEnd on_end_;
  std::unique_ptr<Opener> opener_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<Ping> ping_;
  bool over_ = false;
};

}  // namespace tsock_cat
