#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <tsock/queue.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>
#include <vector>

#include "channel.hpp"
#include "flow.hpp"
#include "services.hpp"
#include "stopwatch.hpp"

namespace tsock_cat {

/// Many clients on one standard input and output (-k with one ADDRESS): what any of them sends goes to
/// standard output as it comes; standard input goes to all that are connected, and waits while none is. The
/// slowest client sets the pace. A client is over when both sides have ended, or it fails; one for datagrams,
/// which have no end, when standard input ended and nothing comes for a while. The hub goes on.
class Hub {
 public:
  /// `on_failure` is called when standard input or output fails; `on_client_end` after each client. Both must
  /// not destroy the hub before they returned to the loop.
  Hub(const Services& services, Channel standard, std::function<void(const Failure&)> on_failure,
      std::function<void()> on_client_end);
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  void add(std::uint64_t connection, Channel channel);
  /// Ends all clients, see `Relay::stop()`, and calls `on_client_end` also when the last one is closed.
  void stop(const Failure& failure);
  /// Whether no client is there, nor one that `stop()` still waits for.
  [[nodiscard]] bool is_over() const noexcept;
  [[nodiscard]] std::size_t clients() const noexcept { return clients_.size(); }
  [[nodiscard]] Counters counters() const;
  [[nodiscard]] std::size_t queued_bytes() const;

 private:
  class Client;
  using Bytes = std::shared_ptr<const std::vector<std::byte>>;

  void read_input();
  void on_input(tsock::Request<tsock::ssize_t>& request);
  [[nodiscard]] bool half_close() const;
  [[nodiscard]] std::size_t piece_size() const;
  void say_goodbye(Client& client, Duration linger);
  void remove(Client& client, const Failure& failure);
  void fail(Place place, int err);

  Services services_;
  Stopwatch age_;
  Channel standard_;
  tsock::Queue output_;
  std::function<void(const Failure&)> on_failure_;
  std::function<void()> on_client_end_;
  std::list<std::unique_ptr<Client>> clients_;
  Flow::Change crlf_;
  std::vector<std::byte> buffer_;
  bool input_ended_ = false;
  bool failed_ = false;
  Counters closed_;  // of clients that are gone
  tsock::Request<tsock::ssize_t> reading_;
  std::list<tsock::Request<void>> disconnecting_;
};

}  // namespace tsock_cat
