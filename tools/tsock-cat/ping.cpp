#include "ping.hpp"

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <utility>

#include "changes.hpp"

namespace tsock_cat {
namespace {

constexpr std::size_t default_ping_size = 64;
constexpr Duration ping_patience = std::chrono::seconds(10);
constexpr Duration datagram_patience = std::chrono::seconds(1);

}  // namespace

Ping::Ping(const Services& services, Channel channel, OnEnd on_end)
    : services_(services), channel_(std::move(channel)), on_end_(std::move(on_end)) {
  const Options& options = services_.options;
  std::string text = options.ping_text;
  for (std::size_t i = 0; options.ping_text.empty() && i < default_ping_size; ++i)
    text += static_cast<char>('a' + i % 26);
  const auto bytes = std::as_bytes(std::span(text));
  message_.assign(bytes.begin(), bytes.end());
  if (options.pdu && !channel_.is_datagram()) {
    const std::vector<std::byte> body = std::exchange(message_, {});
    static_cast<void>(encode_pdu_change(*options.pdu)(body, message_));
  }
  result_.message_size = message_.size();
}

// Of a stream: longer than that, and there is no echo.
Duration Ping::patience() const {
  const auto& limit = services_.options.idle_timeout;
  return limit.value_or(channel_.is_datagram() ? datagram_patience : ping_patience);
}

void Ping::send() {
  ++result_.sent;
  answered_ = false;
  sent_at_ = Clock::now();
  receive();
  writing_ = channel_.write(message_);
  writing_.set_callback([this](tsock::Request<tsock::ssize_t>& request) {
    int err = 0;
    const tsock::ssize_t size = request.recv(err);
    if (err != 0) return fail(Place::writing, err, request.reason());
    counters_.sent += static_cast<std::uint64_t>(size);
    counters_.datagrams_sent += channel_.is_datagram() ? 1U : 0U;
    if (answered_) send();
  });
}

void Ping::receive() {
  if (channel_.is_datagram()) {
    receiving_ = channel_.datagrams->receive();
    receiving_.set_timeout(patience());
    receiving_.set_callback([this](tsock::Request<tsock::ReceivedDatagram>& request) {
      int err = 0;
      datagram_ = request.recv(err);
      on_answer(err, request.reason(), std::as_const(datagram_).bytes());
    });
  } else if (services_.options.pdu) {
    reading_message_ = channel_.source().readv_pdu(services_.options.pdu->framing);
    reading_message_.set_timeout(patience());
    reading_message_.set_callback([this](tsock::Request<tsock::Pdu>& request) {
      int err = 0;
      pdu_ = request.recv(err);
      on_answer(err, request.reason(), std::as_const(pdu_).bytes());
    });
  } else {
    answer_.resize(message_.size());
    reading_ = channel_.source().read(answer_);
    reading_.set_timeout(patience());
    reading_.set_callback([this](tsock::Request<tsock::ssize_t>& request) {
      int err = 0;
      request.recv(err);
      on_answer(err, request.reason(), answer_);
    });
  }
}

void Ping::on_answer(int err, std::string_view reason, std::span<const std::byte> bytes) {
  const bool is_lost = err == ETIMEDOUT && channel_.is_datagram();
  if (err != 0 && !is_lost) return fail(Place::reading, err, reason);
  if (!is_lost) {
    result_.times.push_back(Clock::now() - sent_at_);
    counters_.received += bytes.size();
    counters_.datagrams_received += channel_.is_datagram() ? 1U : 0U;
  }
  const bool is_stream_of_bytes = !channel_.is_datagram() && !services_.options.pdu;
  if (is_stream_of_bytes && !std::equal(bytes.begin(), bytes.end(), message_.begin(), message_.end())) {
    Failure failure;
    failure.code = ExitCode::reset;
    failure.what = "ping " + channel_.name;
    failure.text =
        "the answer is not what was sent: the peer is no echo; with --pdu any message is an answer";
    return end(failure);
  }
  answered_ = true;
  if (result_.sent == *services_.options.pings) {
    Failure failure;
    if (result_.times.empty()) {
      failure.code = ExitCode::timeout;
      failure.limit = "idle";
      failure.what = "ping " + channel_.name;
      failure.text = "no answer";
    }
    return end(failure);
  }
  if (!writing_.is_in_progress()) send();
}

void Ping::fail(Place place, int err, std::string_view reason) {
  Failure failure = failure_of(channel_, {.place = place, .err = err, .reason = std::string(reason)});
  if (err == ETIMEDOUT && place == Place::reading) {
    failure.code = ExitCode::timeout;
    failure.limit = "idle";
    failure.text = "no answer in " + format_duration(patience()) + " (-i)";
  }
  if (err == EPIPE && place == Place::reading) failure.text = "the peer has ended without an answer";
  end(failure);
}

void Ping::end(const Failure& failure) {
  if (std::exchange(ended_, true)) return;
  Failure how = failure;
  services_.report.ping(result_, channel_.name);
  if (!services_.report.is_json()) {
    std::cout << ping_table(result_);
    if (!std::cout.flush() && !how) {
      how.code = ExitCode::local_io;
      how.what = "write to standard output";
      how.err = EPIPE;
    }
  }
  writing_ = {};
  reading_ = {};
  reading_message_ = {};
  receiving_ = {};
  // From the loop, and with the goodbye of a layer.
  const auto finish = [this, how] {
    const OnEnd on_end = std::move(on_end_);
    on_end(how);
  };
  if (channel_.is_datagram() || !channel_.stream.is_open() || how) return services_.loop.post(finish);
  ending_ = channel_.stream.disconnect({.linger_time = short_linger});
  ending_.set_callback([finish](tsock::Request<void>&) { finish(); });
}

}  // namespace tsock_cat
