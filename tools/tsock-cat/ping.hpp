#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <tsock/pdu.hpp>
#include <tsock/received_datagram.hpp>
#include <tsock/request.hpp>
#include <vector>

#include "channel.hpp"
#include "failure.hpp"
#include "flow.hpp"
#include "ping_result.hpp"
#include "report.hpp"
#include "services.hpp"

namespace tsock_cat {

/// The round trips of --ping: a message, its answer, and the next one. An answer is a message with --pdu, a
/// datagram, or as many bytes of a stream as were sent.
class Ping {
 public:
  using OnEnd = std::function<void(const Failure& failure)>;

  /// `on_end` is called once, from the loop; it may destroy the ping.
  Ping(const Services& services, Channel channel, OnEnd on_end);

  void start() { send(); }
  /// Ends it from outside; what is known is reported.
  void stop(const Failure& failure) { end(failure); }
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }

 private:
  using Clock = std::chrono::steady_clock;

  void send();
  void receive();
  void on_answer(int err, std::string_view reason, std::span<const std::byte> bytes);
  void fail(Place place, int err, std::string_view reason);
  void end(const Failure& failure);
  [[nodiscard]] Duration patience() const;

  Services services_;
  Channel channel_;
  OnEnd on_end_;
  std::vector<std::byte> message_;
  std::vector<std::byte> answer_;
  PingResult result_;
  Counters counters_;
  Clock::time_point sent_at_;
  bool ended_ = false;
  bool answered_ = false;
  tsock::Pdu pdu_;
  tsock::ReceivedDatagram datagram_;
  tsock::Request<tsock::ssize_t> writing_;
  tsock::Request<tsock::ssize_t> reading_;
  tsock::Request<tsock::Pdu> reading_message_;
  tsock::Request<tsock::ReceivedDatagram> receiving_;
  tsock::Request<void> ending_;
};

}  // namespace tsock_cat
