#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string_view>
#include <tsock/loop.hpp>
#include <tsock/request.hpp>
#include <tsock/tcp_info.hpp>
#include <vector>

#include "acceptor.hpp"
#include "hub.hpp"
#include "services.hpp"
#include "session.hpp"

namespace tsock_cat {

/// The process: acceptors, sessions, signals, the total limit, statistics, and the exit status.
class Application {
 public:
  /// All of it must outlive the application.
  explicit Application(const Services& services);

  /// Runs until everything is over.
  [[nodiscard]] ExitCode run();

 private:
  [[nodiscard]] Failure prepare();
  [[nodiscard]] Failure open_acceptors();
  [[nodiscard]] Failure transcript_failure(const char* what, int err) const;
  void catch_signals();
  void catch_signal(int signum, tsock::Request<int>& request);
  void on_interrupt(int signum);
  void on_dump_signal();
  void tick();
  void report_statistics(bool final);

  void begin();
  void accept_next();
  void accept_from(std::size_t index);
  void on_refused(const Failure& failure);
  void on_accepted(std::size_t index, int err, Channel channel);
  void start_session(Session::Accepted accepted);
  void on_session_end(std::uint64_t connection, const Failure& failure);
  void end(const Failure& failure);
  void stop_connections(const Failure& failure);
  void stop_if_over();

  [[nodiscard]] bool uses_hub() const;
  [[nodiscard]] std::size_t connections() const;
  [[nodiscard]] std::optional<std::size_t> most_connections() const;
  [[nodiscard]] Counters counters() const;
  [[nodiscard]] std::size_t queued_bytes() const;

  Services services_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point last_tick_ = began_;
  ExitCode exit_code_ = ExitCode::ok;
  bool ended_ = false;
  std::uint64_t last_connection_ = 0;
  Counters closed_;  // of sessions that are over
  Counters at_last_tick_;
  std::array<std::unique_ptr<Acceptor>, 2> acceptors_;
  std::vector<std::function<std::uint64_t()>> drop_counters_;  // of all acceptors, also those that are gone
  Session::Accepted accepted_;
  std::list<Session> sessions_;
  std::optional<tsock::TcpInfo> last_tcp_;
  std::unique_ptr<Hub> hub_;
  bool accepting_ = false;
  tsock::Request<int> interrupted_;
  tsock::Request<int> terminated_;
  tsock::Request<int> hung_up_;
  tsock::Request<int> dump_requested_;
  tsock::Request<void> total_limit_;
  tsock::Request<void> next_tick_;
};

}  // namespace tsock_cat
