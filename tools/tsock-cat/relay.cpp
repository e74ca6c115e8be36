#include "relay.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <tsock/error.hpp>
#include <utility>

#include "changes.hpp"
#include "system.hpp"

namespace tsock_cat {
namespace {

// Between two looks at a peer that has ended its side.
constexpr Duration look_interval = std::chrono::milliseconds(100);

// With --pdu: a line, a framed message of a stream, or a datagram that is a message by itself.
enum class MessageForm : std::uint8_t { line, framed, datagram };

MessageForm message_form(const Channel& channel, const Endpoint& endpoint) {
  if (channel.is_datagram()) return MessageForm::datagram;
  return endpoint.kind == Endpoint::Kind::stdio ? MessageForm::line : MessageForm::framed;
}

void set_message_forms(Flow::Settings& settings, const NamedFraming& pdu, MessageForm from, MessageForm to) {
  static const tsock::Framing lines = tsock::framing::line{.max_body = std::size_t{1} << 30};
  settings.framing = from == MessageForm::line     ? &lines
                     : from == MessageForm::framed ? &pdu.framing
                                                   : nullptr;
  settings.last_may_be_open = from == MessageForm::line;
  if (to == MessageForm::line) settings.change = print_pdu_change(pdu);
  if (to == MessageForm::framed) settings.change = encode_pdu_change(pdu);
}

}  // namespace

Relay::Relay(const Services& services, std::uint64_t connection, Channel local, Channel remote, OnEnd on_end)
    : services_(services),
      connection_(connection),
      local_(std::move(local)),
      remote_(std::move(remote)),
      on_end_(std::move(on_end)),
      last_activity_(Clock::now()),
      quiet_(services.loop) {
  way(Direction::sent).from = way(Direction::received).to = End{&local_, "local"};
  way(Direction::sent).to = way(Direction::received).from = End{&remote_, "remote"};
}

void Relay::start() {
  const Options& options = services_.options;
  way(Direction::sent).done = !local_.has_input || options.traffic == Traffic::receive_only;
  way(Direction::received).done = !remote_.has_input;
  for (const Direction direction : {Direction::sent, Direction::received}) {
    if (!way(direction).done) make_flow(direction);
  }
  if (options.idle_timeout) watch_idle(Clock::now() + *options.idle_timeout);
  for (const Channel* channel : {&local_, &remote_}) {
    if (!channel->is_datagram() || channel->has_output) continue;
    services_.report.note(connection_, channel->name + ": the sender has no address to answer to");
  }
  for (Channel* channel : {&local_, &remote_}) {
    if (channel->program) watch_program(*channel);
  }
  begin_capture();
  if (options.bench) begin_bench();
  for (Way& each : ways_) {
    if (each.flow) each.flow->start();
  }
}

void Relay::watch_program(Channel& channel) {
  exit_ = channel.program.wait_for_exit();
  exit_.set_callback([this, &channel](tsock::Request<tsock::ExitStatus>& request) {
    int err = 0;
    const tsock::ExitStatus status = request.recv(err);
    has_exited_ = true;
    if (err == 0) services_.report.exited(connection_, channel.name, status);
    end_if_over();
  });
}

// Nobody reads what the other side may still send.
bool Relay::is_program_over() const {
  return has_exited_ && (local_.program ? way(Direction::sent) : way(Direction::received)).done;
}

// Of two sockets the second one: what is captured goes over it.
void Relay::begin_capture() {
  const Channel& channel = remote_.is_network ? remote_ : local_;
  services_.transcript.begin(connection_, {.local = channel.local_address(),
                                           .remote = channel.remote_address(),
                                           .is_datagram = channel.is_datagram(),
                                           .is_mirrored = !remote_.is_network,
                                           .is_accepted = channel.is_accepted,
                                           .name = channel.name});
}

// --bench: the input is over when the time is. What comes is read and dropped.
void Relay::begin_bench() {
  bench_ = services_.loop.sleep(*services_.options.bench);
  bench_.set_callback([this](tsock::Request<void>&) {
    Way& w = way(Direction::sent);
    if (!w.flow || w.done) return;
    services_.report.bench(connection_, counters(), *services_.options.bench);
    w.flow->end_reading();
  });
}

Flow::Settings Relay::flow_settings(Direction direction) {
  const Options& options = services_.options;
  const bool sent = direction == Direction::sent;
  Way& w = way(direction);
  Channel& to = *w.to.channel;
  Flow::Settings settings;
  settings.direction = direction;
  settings.source = w.from.channel;
  settings.sink = to.has_output ? &to : nullptr;
  if (!sent && options.traffic == Traffic::send_only) settings.sink = nullptr;
  settings.rate = options.rate;
  settings.loop = &services_.loop;
  settings.is_watched = looks_at_bytes(direction);
  settings.tells_of_first = services_.report.is_verbose();
  if (!sent) {
    settings.most_messages = options.most_messages;
    settings.most_bytes = options.read_exact;
  }
  const std::size_t most = to.is_datagram() ? options.max_datagram : to.most_message;
  if (most != 0) settings.piece_size = most;
  if (sent && options.crlf) {
    settings.change = crlf_change();
    if (most != 0) settings.piece_size = std::max(most / 2, std::size_t{1});  // it may double
  }
  if (options.pdu) {
    const auto& endpoints = options.endpoints;
    const MessageForm local = message_form(local_, endpoints.front());
    const MessageForm remote = message_form(remote_, endpoints.back());
    set_message_forms(settings, *options.pdu, sent ? local : remote, sent ? remote : local);
  }
  return settings;
}

// Whether anything here depends on each of the bytes, or on when they come. What was read from a local side
// and has not left is known, so that the peer is told that it is cut.
bool Relay::looks_at_bytes(Direction direction) const {
  const auto is_plain = [](const Channel& channel) {
    return !channel.is_datagram() && !channel.is_secured();
  };
  return services_.transcript.is_on() || services_.options.idle_timeout || !is_plain(local_) ||
         !is_plain(remote_) || !way(direction).from.channel->is_network;
}

void Relay::make_flow(Direction direction) {
  way(direction).flow = Flow::make(flow_settings(direction), *this);
}

Counters Relay::counters() const {
  if (ended_) return final_counters_;
  Counters counters;
  if (const auto& flow = way(Direction::sent).flow) {
    counters.sent = flow->bytes_written();
    counters.datagrams_sent = flow->datagrams_written();
  }
  if (const auto& flow = way(Direction::received).flow) {
    counters.received = flow->bytes_read();
    counters.datagrams_received = flow->datagrams_read();
  }
  for (const Channel* channel : {&local_, &remote_}) {
    if (channel->is_datagram()) counters.dropped += channel->datagrams->dropped();
  }
  return counters;
}

std::optional<tsock::TcpInfo> Relay::tcp_info() const {
  if (ended_) return final_tcp_ ? std::optional(*final_tcp_) : std::nullopt;
  for (const Channel* channel : {&remote_, &local_}) {
    int err = 0;
    const tsock::TcpInfo info = channel->stream.tcp_info(err);
    if (err == 0) return info;
  }
  return std::nullopt;
}

std::size_t Relay::queued_bytes() const {
  std::size_t sum = 0;
  for (const Way& each : ways_) sum += each.flow ? each.flow->queued_bytes() : 0;
  return sum;
}

std::uint64_t Relay::bytes_written() const {
  std::uint64_t sum = 0;
  for (const Way& each : ways_) sum += each.flow ? each.flow->bytes_written() : 0;
  return sum;
}

void Relay::on_bytes(Direction direction, std::span<const std::byte> bytes, const tsock::Address& from) {
  Way& w = way(direction);
  last_activity_ = Clock::now();
  quiet_.touch();
  if (w.offset == 0 && !bytes.empty()) services_.report.first_byte(connection_, w.from.side, age_.passed());
  // Of a peer that is the only one it was said at the start.
  if (!from.is_empty() && (!w.sender || from != *w.sender) && from != w.from.channel->remote_address()) {
    services_.report.sender(connection_, from);
    w.sender = from;
  }
  services_.transcript.record(connection_, direction, w.offset, bytes,
                              w.from.channel->is_network ? from : tsock::Address());
  w.offset += bytes.size();
}

void Relay::on_lost(Direction direction, Place place, int err, std::size_t size) {
  const Way& w = way(direction);
  const Channel& channel = *(place == Place::reading ? w.from : w.to).channel;
  if (place == Place::reading) {  // of some datagram sent before, and nobody knows which
    return services_.report.note(connection_,
                                 channel.name + ": a datagram was not delivered: " + tsock::error_text(err));
  }
  Failure failure = failure_of(channel, {.place = place, .err = err});
  failure.text = "a datagram of " + std::to_string(size) + " bytes was not sent: " + tsock::error_text(err);
  services_.report.note(connection_, sentence(failure));
  if (!lost_) lost_ = failure;
}

void Relay::on_done(Direction direction) {
  Way& w = way(direction);
  w.done = true;
  services_.report.eof(connection_, w.from.side, age_.passed());
  const Options& options = services_.options;
  if (direction == Direction::received && options.read_exact) {
    const std::uint64_t size = counters().received;
    has_enough_ = size == *options.read_exact;
    if (has_enough_) return end({});
    Failure failure;
    failure.code = ExitCode::reset;
    failure.what = "read from " + w.from.channel->name;
    failure.text = "the peer ended after " + std::to_string(size) + " of " +
                   std::to_string(*options.read_exact) + " bytes (--read-exact)";
    return end(failure);
  }
  has_enough_ = direction == Direction::received && has_all(direction);
  if (direction == Direction::received && (options.exit_on_peer_eof || has_enough_)) return end({});
  if (direction == Direction::received) watch_peer();
  const bool can_end = w.to.channel->has_output || w.to.channel->is_datagram();
  if (!services_.options.no_shutdown && can_end) end_sending(direction);
  if (direction == Direction::sent) after_local_end();
  end_if_over();
}

// As many messages as -W asks for.
bool Relay::has_all(Direction direction) const {
  const auto& most = services_.options.most_messages;
  const auto& flow = way(direction).flow;
  return most && flow && flow->messages_read() >= *most;
}

// The peer has ended its side, which may be all of it. Who sits at a terminal is told; and when nothing can
// be sent any more, nobody has to end the input for it.
void Relay::watch_peer() {
  const Way& sent = way(Direction::sent);
  if (sent.done || !remote_.is_network || remote_.is_datagram()) return;
  if (services_.report.is_for_terminal() && services_.options.endpoints.front().kind == Endpoint::Kind::stdio)
    services_.report.note(connection_,
                          "the peer has ended its side; the end of the input, Ctrl-D, ends ours");
  look_at_peer();
}

// Whether all of it is gone no request tells: its end was read already.
void Relay::look_at_peer() {
  const tsock::NativeSocket socket = remote_.stream.native_handle();
  if (socket == tsock::invalid_socket || way(Direction::sent).done) return;
  const PeerState state = tsock_cat::look_at_peer(socket);
  // A write that is in progress tells by itself.
  if (state != PeerState::there && queued_bytes() == 0) {
    // A unix socket is closed at once; a TCP connection goes on until a reset.
    const bool is_reset = state == PeerState::reset || remote_.local_address().is_inet();
    // Whoever types sees it; a program may have had more to say.
    if (!is_reset && is_terminal(0)) return end({});
    return end(failure_of(remote_, {.place = Place::writing, .err = is_reset ? ECONNRESET : EPIPE}));
  }
  peer_gone_ = services_.loop.sleep(look_interval);
  peer_gone_.set_callback([this](tsock::Request<void>&) { look_at_peer(); });
}

void Relay::after_local_end() {
  const auto& quit_after = services_.options.quit_after;
  if (!quit_after || quiet_.is_running()) return;
  quit_ = services_.loop.sleep(*quit_after);
  quit_.set_callback([this](tsock::Request<void>&) {
    services_.report.note(connection_, "ended by -q");
    end({});
  });
}

void Relay::on_error(Direction direction, const FlowError& error) {
  Way& w = way(direction);
  const Place place = error.place;
  if (place == Place::writing && error.err == EPIPE && w.to.channel->program) {  // it reads no more
    w.done = true;
    return end_if_over();
  }
  const Failure failure = failure_of(*(place == Place::reading ? w.from : w.to).channel, error);
  // A peer that takes no more may have said why before: that can still be read. A message that is too long is
  // no affair of the peer's.
  const Direction back = direction == Direction::sent ? Direction::received : Direction::sent;
  const bool may_have_spoken = place == Place::writing && error.err != EMSGSIZE && w.to.channel->is_network &&
                               !w.to.channel->is_datagram() && !way(back).done;
  // A peer that refuses us says why in an alert, and then takes no more.
  const bool is_refused = failure.code == ExitCode::security;
  if (!may_have_spoken) return end(failure_ && !is_refused ? Failure(failure_) : failure);
  failure_ = failure;
  w.done = true;
}

void Relay::end_sending(Direction direction) {
  Way& w = way(direction);
  if (w.to.channel->is_datagram()) {
    const bool over = way(Direction::sent).done && (way(Direction::received).done || sends_only());
    if (!over) end_when_quiet(w.to);
    return;
  }
  w.shutdown = w.to.channel->sink().shutdown_write();
  w.shutdown.set_callback([this, direction](tsock::Request<void>& request) {
    int err = 0;
    request.recv(err);
    on_shutdown(direction, {.place = Place::writing, .err = err, .reason = std::string(request.reason())});
  });
}

void Relay::on_shutdown(Direction direction, const FlowError& error) {
  Way& w = way(direction);
  if (error.err == 0) {
    services_.report.shutdown(connection_, w.to.side);
  } else if (w.to.channel->is_network && error.err == ENOTSUP) {
    end_when_quiet(w.to);
  } else if (w.to.channel->is_network && !failure_) {
    failure_ = failure_of(*w.to.channel, error);
  }
  end_if_over();
}

void Relay::end_when_quiet(const End& side) {
  quit_ = {};  // -q is the time without traffic here
  const Duration quiet = services_.options.quit_after.value_or(default_quiet);
  // Who says when to end knows.
  if (!services_.options.quit_after && !services_.options.most_messages) {
    services_.report.note(connection_, side.channel->name + " cannot be half-closed; ending after " +
                                           format_duration(quiet) + " without traffic");
  }
  quiet_.start(
      quiet, [this] { return queued_bytes() > 0; }, [this] { end(failure_); });
}

void Relay::end_if_over() {
  const Way& sent = way(Direction::sent);
  const Way& received = way(Direction::received);
  if (sent.shutdown.is_in_progress() || received.shutdown.is_in_progress()) return;
  const bool is_over = sent.done && (received.done || sends_only());
  if (is_over && exit_.is_in_progress()) return exit_.set_timeout(short_linger);  // its status is of interest
  if (is_over || is_program_over()) end(failure_);
}

// Then nothing is waited for once everything is sent.
bool Relay::sends_only() const {
  return services_.options.traffic == Traffic::send_only && !services_.options.quit_after;
}

void Relay::watch_idle(Clock::time_point when) {
  idle_ = services_.loop.sleep(when - Clock::now());
  idle_.set_callback([this](tsock::Request<void>&) {
    const Duration limit = *services_.options.idle_timeout;
    // A piece that goes out slowly is traffic too.
    const std::uint64_t written = bytes_written();
    if (std::exchange(written_at_last_check_, written) != written && queued_bytes() > 0) {
      last_activity_ = Clock::now();
    }
    const auto end_time = last_activity_ + limit;
    if (Clock::now() < end_time) return watch_idle(end_time);
    Failure failure;
    failure.code = ExitCode::timeout;
    failure.limit = "idle";
    failure.what = "idle timeout";
    failure.text = "no byte for " + format_duration(limit) + " (-i)";
    end(failure);
  });
}

void Relay::end(const Failure& failure) {
  if (ended_) return;
  stop_moving(failure);
  if (failure_) {
    reset_cut_sinks();
    return finish();  // the other streams are closed with this object
  }
  const Duration usual = has_enough_ ? short_linger : tsock::DisconnectOptions::default_linger_time;
  const Duration linger = services_.options.linger.value_or(usual);
  disconnect(local_.stream, local_, linger);
  disconnect(local_.output, local_, linger);
  disconnect(remote_.stream, remote_, linger);
  if (disconnects_left_ == 0) finish();
}

void Relay::stop(const Failure& failure) {
  const Duration linger = services_.options.linger.value_or(short_linger);
  if (ended_) {
    for (auto& request : disconnects_) {
      if (request.is_in_progress()) request.set_timeout(linger);
    }
    return;
  }
  std::array<bool, 2> is_cut{};
  std::array<bool, 2> has_written{};
  for (std::size_t i = 0; i < ways_.size(); ++i) {
    const auto& flow = ways_[i].flow;
    is_cut[i] = flow && flow->queued_bytes() > 0;
    has_written[i] = flow && flow->bytes_written() > 0;
  }
  stop_moving(failure);
  for (std::size_t i = 0; i < ways_.size(); ++i) {
    Channel& to = *ways_[i].to.channel;
    if (!to.is_network || to.is_datagram()) continue;
    if (is_cut[i]) {
      to.sink().abort();
    } else if (has_written[i] || to.tls) {  // which has a goodbye
      disconnect(to.sink(), to, linger);
    }
  }
  if (disconnects_left_ == 0) finish();
}

void Relay::stop_moving(const Failure& failure) {
  final_counters_ = counters();
  final_tcp_ = tcp_info();
  ended_ = true;
  services_.transcript.end(connection_);
  bench_ = {};
  peer_gone_ = {};
  failure_ = failure;
  idle_ = {};
  quit_ = {};
  exit_ = {};
  quiet_.stop();
  for (Way& each : ways_) {
    each.flow.reset();
    each.shutdown = {};
  }
}

// Whoever got a part only must not take it for the whole.
void Relay::reset_cut_sinks() {
  for (Way& each : ways_) {
    const Channel& to = *each.to.channel;
    if (!each.done && to.is_network && !to.is_datagram() && to.has_output) each.to.channel->sink().abort();
  }
}

// The goodbye of a layer, and what close(2) says of standard output or a file.
void Relay::disconnect(tsock::Stream& stream, const Channel& channel, Duration linger) {
  if (!stream.is_open()) return;
  auto& request = disconnects_[disconnects_left_++];
  request = stream.disconnect({.linger_time = linger});
  request.set_callback([this, &channel](tsock::Request<void>& done) {
    int err = 0;
    done.recv(err);
    // A peer that goes on sending was not asked to.
    const bool is_expected = has_enough_ && channel.is_network && (err == ETIMEDOUT || err == ENOBUFS);
    if (err != 0 && !failure_ && !is_expected) {
      failure_ =
          failure_of(channel, {.place = Place::writing, .err = err, .reason = std::string(done.reason())});
      if (failure_.code == ExitCode::timeout) failure_.code = ExitCode::reset;
      // The limits of the linger: what was written last may not have arrived.
      if (channel.is_network && err == ETIMEDOUT)
        failure_.text = "the peer has not taken everything in time; the rest may be lost";
      if (channel.is_network && err == ENOBUFS)
        failure_.text = "the peer goes on sending; what it has not read yet may be lost";
    }
    if (--disconnects_left_ == 0) finish();
  });
}

// The owner may destroy this object.
void Relay::finish() {
  const Failure failure = failure_ ? failure_ : lost_;
  const OnEnd on_end = std::move(on_end_);
  on_end(failure);
}

}  // namespace tsock_cat
