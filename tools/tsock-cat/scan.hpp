#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <string>
#include <tsock/datagram.hpp>
#include <tsock/received_datagram.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>
#include <vector>

#include "scan_result.hpp"
#include "services.hpp"

namespace tsock_cat {

/// The port scan of -z: looks the hosts up, tries every port of every address, several at once, and shows
/// what became of them.
class Scan {
 public:
  /// All of it must outlive the scan.
  explicit Scan(const Services& services);

  /// Runs until everything is known.
  [[nodiscard]] ExitCode run();

 private:
  using Clock = std::chrono::steady_clock;
  using Addresses = tsock::Request<std::vector<tsock::Address>>;

  // A port that is being tried.
  struct Probe {
    std::size_t index = 0;  // in results_
    Clock::time_point began;
    tsock::Request<tsock::Stream> connecting;
    tsock::Datagram socket;
    tsock::Request<tsock::ssize_t> sending;
    tsock::Request<tsock::ReceivedDatagram> receiving;
  };

  void look_up(std::size_t target);
  void on_addresses(std::size_t target, int err, const std::vector<tsock::Address>& addresses);
  void probe_next();
  void connect(Probe& probe);
  void ask(Probe& probe);
  void finish(Probe& probe, int err);
  void end(const Failure& failure);
  void catch_signal(int signum, tsock::Request<int>& request);
  [[nodiscard]] ExitCode show();
  [[nodiscard]] Duration time_limit() const;
  [[nodiscard]] tsock::Address source() const;

  Services services_;
  std::list<Addresses> resolving_;
  std::size_t lookups_left_ = 0;
  std::vector<std::vector<ScanResult>> found_;  // of each target, to keep the order of the command line
  std::vector<ScanResult> results_;
  std::vector<bool> is_known_;
  std::size_t next_ = 0;
  std::vector<std::size_t> again_;  // for lack of descriptors
  std::size_t most_at_once_;
  std::list<Probe> probes_;
  Failure failure_;
  bool ended_ = false;
  tsock::Request<void> limit_;
  tsock::Request<int> interrupted_;
  tsock::Request<int> terminated_;
  tsock::Request<int> hung_up_;
};

}  // namespace tsock_cat
