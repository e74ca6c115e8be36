#include "application.hpp"

#include <algorithm>
#include <csignal>
#include <sstream>
#include <string>
#include <tsock/error.hpp>
#include <utility>

#include "opener.hpp"
#include "system.hpp"

namespace tsock_cat {

namespace {

// Senders of datagrams cost nothing to invent, and only -i ends them.
constexpr std::size_t most_datagram_peers = 1024;

}  // namespace

Application::Application(const Services& services) : services_(services) {}

ExitCode Application::run() {
  const Failure failure = prepare();
  if (failure) end(failure);
  if (!ended_) begin();
  if (!ended_) services_.loop.run();
  const int err = services_.transcript.close();
  if (err != 0 && exit_code_ == ExitCode::ok) {
    services_.report.failed(transcript_failure("write to ", err));
    exit_code_ = ExitCode::local_io;
  }
  if (services_.options.stats) report_statistics(true);
  return exit_code_;
}

Failure Application::prepare() {
  const Options& options = services_.options;
  const int err = services_.transcript.open();
  if (err != 0) return transcript_failure("open ", err);
  services_.transcript.set_on_failure([this](int why) { end(transcript_failure("write to ", why)); });
  if (options.trace) {
    services_.loop.set_trace([this](const tsock::TraceEvent& event) { services_.report.trace(event); });
  }
  catch_signals();  // before anybody is told that it is worth to send one
  if (Failure failure = open_acceptors()) return failure;
  if (options.max_time) {
    total_limit_ = services_.loop.sleep(*options.max_time);
    total_limit_.set_callback([this](tsock::Request<void>&) {
      Failure failure;
      failure.code = ExitCode::timeout;
      failure.limit = "total";
      failure.what = "total time limit";
      failure.text = format_duration(*services_.options.max_time) + " are over (--max-time)";
      end(failure);
    });
  }
  if (options.stats_interval) tick();
  return {};
}

Failure Application::transcript_failure(const char* what, int err) const {
  Failure failure;
  failure.code = ExitCode::local_io;
  failure.what = what + services_.options.dump_file;
  failure.err = err;
  return failure;
}

Failure Application::open_acceptors() {
  const auto& endpoints = services_.options.endpoints;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    if (!endpoints[i].is_listener()) continue;
    Failure failure;
    acceptors_[i] = open_acceptor(
        services_, endpoints[i], [this](const Failure& why) { on_refused(why); }, failure);
    if (failure) return failure;
    if (auto counter = acceptors_[i]->drop_counter()) drop_counters_.push_back(std::move(counter));
    services_.report.listening(acceptors_[i]->address());
  }
  return {};
}

void Application::catch_signals() {
  if (!is_signal_ignored(SIGINT)) catch_signal(SIGINT, interrupted_);
  if (!is_signal_ignored(SIGTERM)) catch_signal(SIGTERM, terminated_);
#ifdef SIGHUP
  if (!is_signal_ignored(SIGHUP)) catch_signal(SIGHUP, hung_up_);
#endif
  on_dump_signal();
}

void Application::catch_signal(int signum, tsock::Request<int>& request) {
  request = services_.loop.signal(signum);
  request.set_callback([this, signum, &request](tsock::Request<int>&) {
    catch_signal(signum, request);
    on_interrupt(signum);
  });
}

// The second one ends at once what the first one lets finish.
void Application::on_interrupt(int signum) {
  if (ended_) return services_.loop.stop();
  Failure failure;
  failure.code = ExitCode::interrupted;
  failure.what = signum == SIGINT ? "interrupted" : signum == SIGTERM ? "terminated" : "hung up";
  end(failure);
}

// Every request in progress, and the counters, on SIGUSR1.
void Application::on_dump_signal() {
#ifdef SIGUSR1
  if (is_signal_ignored(SIGUSR1)) return;
  dump_requested_ = services_.loop.signal(SIGUSR1);
  dump_requested_.set_callback([this](tsock::Request<int>&) {
    std::ostringstream text;
    services_.loop.dump(text);
    const tsock::LoopMetrics metrics = services_.loop.metrics();
    const Counters counted = counters();
    text << "loop: " << metrics.events << " events, " << metrics.completions << " completions, "
         << metrics.in_progress << " requests in progress, " << metrics.deadlines << " deadlines, "
         << metrics.posted << " posted functions\n"
         << "bytes: " << counted.sent << " out, " << counted.received << " in, " << queued_bytes()
         << " queued, connections: " << connections() << '\n'
         << "datagrams: " << counted.datagrams_sent << " out, " << counted.datagrams_received << " in, "
         << counted.dropped << " dropped\n";
    services_.report.diagnostics(text.str());
    on_dump_signal();
  });
#endif
}

void Application::tick() {
  next_tick_ = services_.loop.sleep(*services_.options.stats_interval);
  next_tick_.set_callback([this](tsock::Request<void>&) {
    report_statistics(false);
    tick();
  });
}

void Application::report_statistics(bool final) {
  const auto now = std::chrono::steady_clock::now();
  Statistics statistics;
  statistics.total = counters();
  statistics.interval.sent = statistics.total.sent - at_last_tick_.sent;
  statistics.interval.received = statistics.total.received - at_last_tick_.received;
  statistics.elapsed = now - began_;
  statistics.interval_length = now - std::exchange(last_tick_, now);
  statistics.connections = connections();
  statistics.queued = queued_bytes();
  statistics.final = final;
  if (last_connection_ == 1) {
    if (!sessions_.empty()) last_tcp_ = sessions_.back().tcp_info();
    statistics.tcp = last_tcp_;
  }
  at_last_tick_ = statistics.total;
  services_.report.statistics(statistics);
}

bool Application::uses_hub() const {
  return services_.options.keep_listening &&
         services_.options.endpoints.front().kind == Endpoint::Kind::stdio;
}

void Application::begin() {
  if (!acceptors_[0] && !acceptors_[1]) return start_session({});
  if (uses_hub()) {
    Failure failure;
    Channel standard = open_standard_streams(services_, failure);
    if (failure) return end(failure);
    hub_ = std::make_unique<Hub>(
        services_, std::move(standard), [this](const Failure& why) { end(why); },
        [this] {
          stop_if_over();
          accept_next();
        });
  }
  accept_next();
}

// Accepts from each acceptor, then starts a session with what was accepted.
void Application::accept_next() {
  if (ended_ || accepting_) return;
  const auto limit = most_connections();
  if (limit && connections() >= *limit) return;  // the rest waits in the backlog
  for (std::size_t i = 0; i < acceptors_.size(); ++i) {
    if (acceptors_[i] && !accepted_[i]) return accept_from(i);
  }
  const bool more = services_.options.keep_listening;
  if (hub_) {
    Channel& channel = accepted_[0] ? *accepted_[0] : *accepted_[1];
    hub_->add(++last_connection_, std::move(channel));
    accepted_ = {};
  } else {
    start_session(std::exchange(accepted_, {}));
  }
  if (more) accept_next();
}

void Application::accept_from(std::size_t index) {
  accepting_ = true;
  acceptors_[index]->accept(
      [this, index](int err, Channel channel) { on_accepted(index, err, std::move(channel)); });
}

// One connection was asked for, and this was it; a server of many goes on.
void Application::on_refused(const Failure& failure) {
  if (!services_.options.keep_listening && !failure.comes_back) return end(failure);
  if (!ended_) services_.report.note(0, sentence(failure));
}

void Application::on_accepted(std::size_t index, int err, Channel channel) {
  accepting_ = false;
  const Endpoint& endpoint = services_.options.endpoints[index];
  if (err != 0) {
    Failure failure;
    failure.code = ExitCode::listen;
    failure.what = "accept on " + endpoint.text;
    failure.err = err;
    return end(failure);
  }
  // One connection was asked for: a second one is refused from the moment that the first one is announced,
  // also while the other endpoint still waits for its own.
  if (!services_.options.keep_listening) acceptors_[index] = nullptr;
  services_.report.connected(last_connection_ + 1, "accept", endpoint.text, channel.local_address(),
                             channel.remote_address());
  if (channel.proxy) services_.report.peer(last_connection_ + 1, *channel.proxy);
  if (channel.tls) services_.report.tls(last_connection_ + 1, *channel.tls);
  if (channel.peer) services_.report.peer(last_connection_ + 1, *channel.peer);
  channel.is_accepted = true;
  accepted_[index] = std::move(channel);
  accept_next();
}

void Application::start_session(Session::Accepted accepted) {
  const std::uint64_t connection = ++last_connection_;
  sessions_.emplace_back(services_, connection, std::move(accepted),
                         [this, connection](const Failure& failure) { on_session_end(connection, failure); });
  sessions_.back().start();
}

void Application::on_session_end(std::uint64_t connection, const Failure& failure) {
  // It is still on the stack.
  services_.loop.post([this, connection] {
    sessions_.remove_if([this, connection](const Session& session) {
      if (session.connection() != connection) return false;
      closed_ += session.counters();
      last_tcp_ = session.tcp_info();
      return true;
    });
    accept_next();
  });
  if (!services_.options.keep_listening) end(failure);
  stop_if_over();
}

void Application::end(const Failure& failure) {
  if (std::exchange(ended_, true)) return;
  exit_code_ = failure.code;
  if (failure) services_.report.failed(failure);
  total_limit_ = {};
  // A flow may be on the stack.
  services_.loop.post([this, failure] { stop_connections(failure); });
  stop_if_over();
}

void Application::stop_connections(const Failure& failure) {
  acceptors_ = {};
  accepted_ = {};
  for (Session& session : sessions_) session.stop(failure);
  if (hub_) hub_->stop(failure);
  stop_if_over();
}

void Application::stop_if_over() {
  const bool is_over =
      (!hub_ || hub_->is_over()) && std::all_of(sessions_.begin(), sessions_.end(),
                                                [](const Session& session) { return session.is_over(); });
  if (ended_ && is_over) services_.loop.stop();
}

std::size_t Application::connections() const { return sessions_.size() + (hub_ ? hub_->clients() : 0); }

std::optional<std::size_t> Application::most_connections() const {
  const auto& endpoints = services_.options.endpoints;
  if (services_.options.max_connections) return services_.options.max_connections;
  for (const Endpoint& endpoint : endpoints) {
    if (endpoint.is_listener() && endpoint.is_datagram()) return most_datagram_peers;
  }
  return std::nullopt;
}

Counters Application::counters() const {
  Counters sum = closed_;
  for (const auto& dropped : drop_counters_) sum.dropped += dropped();
  for (const Session& session : sessions_) sum += session.counters();
  if (hub_) sum += hub_->counters();
  return sum;
}

std::size_t Application::queued_bytes() const {
  std::size_t sum = hub_ ? hub_->queued_bytes() : 0;
  for (const Session& session : sessions_) sum += session.queued_bytes();
  return sum;
}

}  // namespace tsock_cat
