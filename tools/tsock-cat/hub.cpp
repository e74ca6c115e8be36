#include "hub.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <tsock/error.hpp>
#include <utility>

#include "changes.hpp"
#include "duration.hpp"
#include "quiet_timer.hpp"

namespace tsock_cat {
class Hub::Client final : private FlowOwner {
 public:
  Client(Hub& hub, std::uint64_t connection, Channel channel)
      : hub_(hub),
        connection_(connection),
        channel_(std::move(channel)),
        peer_(channel_.remote_address()),
        queue_(hub.services_.loop, "to client"),
        quiet_(hub.services_.loop),
        flow_(Flow::make(flow_settings(), *this)) {}

  void start() {
    hub_.services_.transcript.begin(connection_, {.local = channel_.local_address(),
                                                  .remote = peer_,
                                                  .is_datagram = channel_.is_datagram(),
                                                  .is_accepted = channel_.is_accepted,
                                                  .name = channel_.name});
    if (hub_.services_.options.idle_timeout) watch_idle(*hub_.services_.options.idle_timeout);
    if (!channel_.has_output) {
      hub_.services_.report.note(connection_, channel_.name + ": the sender has no address to answer to");
    }
    flow_->start();
  }

  // One piece of input at a time: the hub reads the next when nobody is busy.
  void send(const Bytes& bytes) {
    if (!channel_.has_output) return;
    hub_.services_.transcript.record(connection_, Direction::sent, offset_[0], *bytes);
    offset_[0] += bytes->size();
    active_ = true;
    quiet_.touch();
    bytes_ = bytes;
    writing_ = channel_.write(*bytes_, &queue_);
    writing_.set_callback([this](tsock::Request<tsock::ssize_t>& request) {
      int err = 0;
      const tsock::ssize_t size = request.recv(err);
      if (err != 0 && !goes_on_after(err))
        return leave({.place = Place::writing, .err = err, .reason = std::string(request.reason())});
      if (err != 0) {
        on_lost(Direction::sent, Place::writing, err, bytes_->size());
      } else {
        written_ += static_cast<std::uint64_t>(size);
        datagrams_written_ += channel_.is_datagram() ? 1U : 0U;
      }
      bytes_.reset();
      hub_.read_input();
    });
  }
  // Standard input ended, or is not to be read: nothing more is sent.
  void end_sending(bool half_close) {
    sending_over_ = !half_close;
    if (half_close && channel_.is_datagram()) {
      quiet_.start(
          hub_.services_.options.quit_after.value_or(default_quiet), [this] { return queued_bytes() > 0; },
          [this] { hub_.remove(*this, {}); });
    } else if (half_close) {
      shutdown_ = channel_.stream.shutdown_write(queue_);
      shutdown_.set_callback([this](tsock::Request<void>& request) {
        int err = 0;
        request.recv(err);
        if (err == 0) hub_.services_.report.shutdown(connection_, "remote");
        sending_over_ = true;
        leave_if_over();
      });
    }
  }
  // Its stream goes on alone, or at once.
  [[nodiscard]] tsock::Request<void> give_away(Duration linger) {
    if (is_busy()) channel_.stream.abort();
    if ((written_ == 0 && !channel_.tls) || !channel_.stream.is_open()) return {};
    return std::move(channel_.stream).disconnect({.linger_time = linger});
  }
  [[nodiscard]] bool has_goodbye() const noexcept { return channel_.tls.has_value(); }
  [[nodiscard]] bool is_busy() const noexcept { return writing_.is_in_progress(); }
  [[nodiscard]] std::uint64_t connection() const noexcept { return connection_; }
  [[nodiscard]] const tsock::Address& peer() const noexcept { return peer_; }
  [[nodiscard]] Counters counters() const {
    Counters counters;
    counters.sent = written_;
    counters.received = flow_->bytes_read();
    counters.datagrams_sent = datagrams_written_;
    counters.datagrams_received = flow_->datagrams_read();
    if (channel_.is_datagram()) counters.dropped = channel_.datagrams->dropped();
    return counters;
  }
  [[nodiscard]] std::size_t queued_bytes() const {
    return flow_->queued_bytes() + (bytes_ ? bytes_->size() : 0);
  }

 private:
  Flow::Settings flow_settings() {
    Flow::Settings settings;
    settings.direction = Direction::received;
    settings.source = &channel_;
    settings.sink = hub_.standard_.has_output ? &hub_.standard_ : nullptr;
    settings.queue = &hub_.output_;
    settings.most_messages = hub_.services_.options.most_messages;
    return settings;
  }

  void on_bytes(Direction direction, std::span<const std::byte> bytes, const tsock::Address& from) override {
    if (offset_[1] == 0 && !bytes.empty())
      hub_.services_.report.first_byte(connection_, "remote", age_.passed());
    hub_.services_.transcript.record(connection_, direction, offset_[1], bytes, from);
    offset_[1] += bytes.size();
    active_ = true;
    quiet_.touch();
  }
  void on_lost(Direction, Place place, int err, std::size_t size) override {
    const std::string what = place == Place::writing
                                 ? "a datagram of " + std::to_string(size) + " bytes was not sent: "
                                 : "a datagram was not delivered: ";
    hub_.services_.report.note(connection_, channel_.name + ": " + what + tsock::error_text(err));
  }
  void on_done(Direction) override {
    hub_.services_.report.eof(connection_, "remote", age_.passed());
    receiving_over_ = true;
    leave_if_over();
  }
  void on_error(Direction, const FlowError& error) override {
    if (error.place == Place::writing) return hub_.fail(Place::writing, error.err);
    leave(error);
  }

  [[nodiscard]] bool goes_on_after(int err) const {
    return channel_.is_datagram() && channel_.datagrams->can_go_on_after(err);
  }

  void leave_if_over() {
    if (!receiving_over_) return;
    const Options& options = hub_.services_.options;
    if (options.exit_on_peer_eof || options.most_messages || sending_over_) hub_.remove(*this, {});
  }

  void leave(const FlowError& error) { hub_.remove(*this, failure_of(channel_, error)); }

  void watch_idle(Duration limit) {
    active_ = false;
    idle_ = hub_.services_.loop.sleep(limit);
    idle_.set_callback([this, limit](tsock::Request<void>&) {
      // A piece that goes out slowly is traffic too.
      const std::uint64_t sent = written_ + (is_busy() ? writing_.transferred() : 0);
      if (std::exchange(sent_at_last_look_, sent) != sent || active_) return watch_idle(limit);
      Failure failure;
      failure.code = ExitCode::timeout;
      failure.limit = "idle";
      failure.what = "idle timeout";
      failure.text = "no byte for " + format_duration(limit) + " (-i)";
      hub_.remove(*this, failure);
    });
  }

  Hub& hub_;
  Stopwatch age_;
  std::uint64_t connection_;
  Channel channel_;
  tsock::Address peer_;  // also when it is gone
  tsock::Queue queue_;
  Bytes bytes_;
  std::array<std::uint64_t, 2> offset_{};  // bytes in the transcript: sent, received
  std::uint64_t written_ = 0;
  std::uint64_t datagrams_written_ = 0;
  std::uint64_t sent_at_last_look_ = 0;
  bool active_ = false;  // since the last look at the idle limit
  bool receiving_over_ = false;
  bool sending_over_ = false;
  QuietTimer quiet_;
  std::unique_ptr<Flow> flow_;
  tsock::Request<tsock::ssize_t> writing_;
  tsock::Request<void> shutdown_;
  tsock::Request<void> idle_;
};

Hub::Hub(const Services& services, Channel standard, std::function<void(const Failure&)> on_failure,
         std::function<void()> on_client_end)
    : services_(services),
      standard_(std::move(standard)),
      output_(services.loop, "standard output"),
      on_failure_(std::move(on_failure)),
      on_client_end_(std::move(on_client_end)),
      input_ended_(!standard_.has_input) {
  if (services.options.crlf) crlf_ = crlf_change();
}

Hub::~Hub() = default;

void Hub::add(std::uint64_t connection, Channel channel) {
  clients_.push_back(std::make_unique<Client>(*this, connection, std::move(channel)));
  clients_.back()->start();
  if (input_ended_) {
    clients_.back()->end_sending(half_close());
  } else {
    read_input();
  }
}

// With --recv-only standard input was never there to end.
bool Hub::half_close() const { return standard_.has_input && !services_.options.no_shutdown; }

// What is sent to clients for datagrams or messages is one.
std::size_t Hub::piece_size() const {
  const Options& options = services_.options;
  const Endpoint& clients = options.endpoints.back();
  if (!clients.is_datagram() && !clients.is_npa) return Flow::default_piece_size;
  const std::size_t most = clients.is_npa ? std::size_t{65535} : options.max_datagram;
  return options.crlf ? std::max(most / 2, std::size_t{1}) : most;
}

void Hub::read_input() {
  const bool busy =
      std::any_of(clients_.begin(), clients_.end(), [](const auto& client) { return client->is_busy(); });
  if (input_ended_ || failed_ || busy || clients_.empty() || reading_.is_in_progress()) return;
  buffer_.resize(piece_size());
  reading_ = standard_.source().read_some(buffer_);
  reading_.set_callback([this](tsock::Request<tsock::ssize_t>& request) { on_input(request); });
}

void Hub::on_input(tsock::Request<tsock::ssize_t>& request) {
  int err = 0;
  const tsock::ssize_t size = request.recv(err);
  if (err == EPIPE) {
    input_ended_ = true;
    services_.report.eof(0, "local", age_.passed());
    for (const auto& client : clients_) client->end_sending(half_close());
    return;
  }
  if (err != 0) return fail(Place::reading, err);
  const auto bytes = std::span<const std::byte>(buffer_).first(static_cast<std::size_t>(size));
  auto piece = std::make_shared<std::vector<std::byte>>();
  if (crlf_) {
    crlf_(bytes, *piece);
  } else {
    piece->assign(bytes.begin(), bytes.end());
  }
  for (const auto& client : clients_) client->send(piece);
  read_input();  // unless somebody is busy with it now
}

void Hub::remove(Client& client, const Failure& failure) {
  const auto found = std::find_if(clients_.begin(), clients_.end(),
                                  [&client](const auto& each) { return each.get() == &client; });
  const Counters counted = client.counters();
  closed_ += counted;
  services_.transcript.end(client.connection());
  services_.report.closed(client.connection(), client.peer(), counted, failure);
  if (!failure && client.has_goodbye()) {
    say_goodbye(client, services_.options.linger.value_or(tsock::DisconnectOptions::default_linger_time));
  }
  clients_.erase(found);
  if (clients_.empty()) reading_ = {};  // what it took already goes to the next client
  on_client_end_();
  read_input();
}

void Hub::stop(const Failure& failure) {
  failed_ = true;
  reading_ = {};
  const Duration linger = services_.options.linger.value_or(short_linger);
  while (!clients_.empty()) {
    Client& client = *clients_.front();
    say_goodbye(client, linger);
    remove(client, failure);
  }
}

void Hub::say_goodbye(Client& client, Duration linger) {
  auto request = client.give_away(linger);
  if (!request) return;
  disconnecting_.remove_if([](const auto& each) { return !each.is_in_progress(); });
  disconnecting_.push_back(std::move(request));
  disconnecting_.back().set_callback([this](tsock::Request<void>&) { on_client_end_(); });
}

bool Hub::is_over() const noexcept {
  return clients_.empty() && std::none_of(disconnecting_.begin(), disconnecting_.end(),
                                          [](const auto& each) { return each.is_in_progress(); });
}

void Hub::fail(Place place, int err) {
  if (std::exchange(failed_, true)) return;
  Failure failure;
  failure.code = ExitCode::local_io;
  failure.what = place == Place::reading ? "read from standard input" : "write to standard output";
  failure.err = err;
  on_failure_(failure);
}

Counters Hub::counters() const {
  Counters sum = closed_;
  for (const auto& client : clients_) sum += client->counters();
  return sum;
}

std::size_t Hub::queued_bytes() const {
  std::size_t sum = 0;
  for (const auto& client : clients_) sum += client->queued_bytes();
  return sum;
}

}  // namespace tsock_cat
