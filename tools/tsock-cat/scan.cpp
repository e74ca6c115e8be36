#include "scan.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iostream>
#include <iterator>
#include <span>
#include <utility>

#include "lookup.hpp"

namespace tsock_cat {
namespace {

constexpr Duration default_scan_limit = std::chrono::seconds(3);

PortState state_of(int err, bool is_datagram) {
  switch (err) {
    case 0:
      return PortState::open;
    case ECONNREFUSED:
      return PortState::refused;
    case ETIMEDOUT:
      return is_datagram ? PortState::no_answer : PortState::timed_out;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
#ifdef EHOSTDOWN
    case EHOSTDOWN:
#endif
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EACCES:
    case EPERM:
      return PortState::unreachable;
    default:
      return PortState::failed;
  }
}

}  // namespace

Scan::Scan(const Services& services) : services_(services), most_at_once_(services.options.scan_parallel) {}

ExitCode Scan::run() {
  catch_signal(SIGINT, interrupted_);
  catch_signal(SIGTERM, terminated_);
#ifdef SIGHUP
  catch_signal(SIGHUP, hung_up_);
#endif
  if (const auto& most = services_.options.max_time) {
    limit_ = services_.loop.sleep(*most);
    limit_.set_callback([this](tsock::Request<void>&) {
      Failure failure;
      failure.code = ExitCode::timeout;
      failure.limit = "total";
      failure.what = "total time limit";
      failure.text = format_duration(*services_.options.max_time) + " are over (--max-time)";
      end(failure);
    });
  }
  const std::size_t targets = services_.options.scan_targets.size();
  found_.resize(targets);
  lookups_left_ = targets;
  for (std::size_t i = 0; i < targets; ++i) look_up(i);
  if (!ended_) services_.loop.run();
  return show();
}

void Scan::catch_signal(int signum, tsock::Request<int>& request) {
  request = services_.loop.signal(signum);
  request.set_callback([this, signum](tsock::Request<int>&) {
    Failure failure;
    failure.code = ExitCode::interrupted;
    failure.what = signum == SIGINT ? "interrupted" : signum == SIGTERM ? "terminated" : "hung up";
    end(failure);
  });
}

Duration Scan::time_limit() const { return services_.options.connect_timeout.value_or(default_scan_limit); }

void Scan::look_up(std::size_t target) {
  Endpoint endpoint;
  endpoint.kind = services_.options.netcat.datagram ? Endpoint::Kind::udp : Endpoint::Kind::tcp;
  resolving_.push_back(tsock::resolve(services_.loop, services_.options.scan_targets[target].host, "1",
                                      resolve_options(services_.options, endpoint)));
  resolving_.back().set_timeout(time_limit());
  resolving_.back().set_callback([this, target](Addresses& request) {
    int err = 0;
    const auto addresses = request.recv(err);
    on_addresses(target, err, addresses);
  });
}

void Scan::on_addresses(std::size_t target, int err, const std::vector<tsock::Address>& addresses) {
  const ScanTarget& wanted = services_.options.scan_targets[target];
  const bool is_datagram = services_.options.netcat.datagram;
  if (err != 0) {
    Endpoint endpoint;
    endpoint.host = wanted.host;
    const Failure failure = resolve_failure(services_.options, endpoint, err);
    services_.report.failed(failure);
    failure_ = failure;
  }
  for (const tsock::Address& address : addresses) {
    for (const std::uint16_t port : wanted.ports) {
      ScanResult& result = found_[target].emplace_back();
      int ignored = 0;
      result.host = wanted.host;
      result.address = address.with_port(port, ignored);
      result.is_datagram = is_datagram;
    }
  }
  if (--lookups_left_ > 0) return;
  for (auto& each : found_) std::move(each.begin(), each.end(), std::back_inserter(results_));
  is_known_.resize(results_.size());
  probe_next();
}

void Scan::probe_next() {
  while ((!again_.empty() || next_ < results_.size()) && probes_.size() < most_at_once_) {
    Probe& probe = probes_.emplace_back();
    if (again_.empty()) {
      probe.index = next_++;
    } else {
      probe.index = again_.back();
      again_.pop_back();
    }
    probe.began = Clock::now();
    if (results_[probe.index].is_datagram) {
      ask(probe);
    } else {
      connect(probe);
    }
  }
  if (probes_.empty()) end({});
}

// -s.
tsock::Address Scan::source() const {
  int err = 0;  // the command line was checked
  const std::string& text = services_.options.source;
  return text.empty() ? tsock::Address() : tsock::Address::inet_from_strings("ip", text, 0, err);
}

void Scan::connect(Probe& probe) {
  tsock::ConnectOptions options;
  options.local = source();
  options.timeout = time_limit();
  probe.connecting = tsock::Stream::connect(services_.loop, results_[probe.index].address, options);
  probe.connecting.set_callback([this, &probe](tsock::Request<tsock::Stream>& request) {
    int err = 0;
    static_cast<void>(request.recv(err));
    finish(probe, err);
  });
}

// Nobody has to answer an empty datagram; but a host without such a port may say so.
void Scan::ask(Probe& probe) {
  int err = 0;
  probe.socket = tsock::Datagram::udp(services_.loop, source(), results_[probe.index].address, {}, err);
  if (err != 0) {
    services_.loop.post([this, &probe, err] { finish(probe, err); });
    return;
  }
  probe.receiving = probe.socket.recvfrom();
  probe.receiving.set_timeout(time_limit());
  probe.receiving.set_callback([this, &probe](tsock::Request<tsock::ReceivedDatagram>& request) {
    int error = 0;
    static_cast<void>(request.recv(error));
    finish(probe, error);
  });
  probe.sending = probe.socket.sendto(std::span<const std::byte>());
  probe.sending.set_callback([this, &probe](tsock::Request<tsock::ssize_t>& request) {
    int error = 0;
    request.recv(error);
    if (error != 0) finish(probe, error);
  });
}

void Scan::finish(Probe& probe, int err) {
  if (ended_) return;
  const std::size_t index = probe.index;
  const bool no_descriptor = err == EMFILE || err == ENFILE;
  const auto time = Clock::now() - probe.began;
  // The request that is on the stack ends with its probe.
  std::list<Probe> over;
  const auto found =
      std::find_if(probes_.begin(), probes_.end(), [&probe](const Probe& each) { return &each == &probe; });
  over.splice(over.end(), probes_, found);
  if (no_descriptor && !probes_.empty()) {  // fewer at once, and this one again
    most_at_once_ = probes_.size();
    again_.push_back(index);
    return;  // when one of the others is over
  }
  ScanResult& result = results_[index];
  result.err = err;
  result.state = state_of(err, result.is_datagram);
  result.time = time;
  is_known_[index] = true;
  services_.report.scanned(result);
  probe_next();
}

void Scan::end(const Failure& failure) {
  if (std::exchange(ended_, true)) return;
  if (failure) {
    services_.report.failed(failure);
    failure_ = failure;
  }
  services_.loop.stop();
}

ExitCode Scan::show() {
  std::vector<ScanResult> known;
  for (std::size_t i = 0; i < results_.size(); ++i) {
    if (is_known_[i]) known.push_back(results_[i]);
  }
  services_.report.scan_over(known);
  if (!services_.report.is_json()) {
    std::cout << scan_table(known, services_.options.verbosity > 0, !services_.options.numeric);
    if (!std::cout.flush()) {
      Failure failure;
      failure.code = ExitCode::local_io;
      failure.what = "write to standard output";
      failure.err = errno;
      services_.report.failed(failure);
      return failure.code;
    }
  }
  if (failure_.code == ExitCode::timeout || failure_.code == ExitCode::interrupted) return failure_.code;
  const bool is_open = std::any_of(known.begin(), known.end(),
                                   [](const ScanResult& each) { return each.state == PortState::open; });
  if (is_open) return ExitCode::ok;
  return failure_ ? failure_.code : ExitCode::nothing_open;
}

}  // namespace tsock_cat
