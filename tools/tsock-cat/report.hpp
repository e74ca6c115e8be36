#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tsock/address.hpp>
#include <tsock/connect_report.hpp>
#include <tsock/exit_status.hpp>
#include <tsock/tcp_info.hpp>
#include <tsock/trace.hpp>
#include <vector>

#include "direction.hpp"
#include "duration.hpp"
#include "failure.hpp"
#include "options.hpp"
#include "peer_report.hpp"
#include "ping_result.hpp"
#include "scan_result.hpp"
#include "tls_report.hpp"

namespace tsock_cat {

/// What went each way: bytes, and of ADDRESSes for datagrams how many.
struct Counters {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t datagrams_sent = 0;      ///< on the remote side
  std::uint64_t datagrams_received = 0;  ///< on the remote side
  std::uint64_t dropped = 0;             ///< datagrams that came and were lost for lack of room

  Counters& operator+=(const Counters& other) noexcept {
    sent += other.sent;
    received += other.received;
    datagrams_sent += other.datagrams_sent;
    datagrams_received += other.datagrams_received;
    dropped += other.dropped;
    return *this;
  }
};

/// What one line of --stats tells.
struct Statistics {
  Counters total;
  Counters interval;  ///< since the line before
  Duration elapsed{};
  Duration interval_length{};
  std::size_t connections = 0;  ///< open now
  std::size_t queued = 0;       ///< bytes read and not yet written
  bool final = false;
  std::optional<tsock::TcpInfo> tcp{};  ///< of the only connection, at its end the last that was known
};

/// Everything that tsock-cat says beside the payload: sentences, or one JSON object a line.
class Report {
 public:
  /// The schema number in every JSON object; it changes when a field changes its meaning or goes away.
  static constexpr int schema = 1;

  /// `out` must outlive the report.
  Report(const Options& options, std::ostream& out);

  void listening(std::string_view address);
  void connecting(std::string_view endpoint);
  /// The addresses of a name were found, or not.
  void looked_up(std::string_view host, std::size_t addresses, Duration took, int err);
  /// How one of the addresses of an endpoint answered.
  void attempted(const tsock::ConnectAttempt& attempt);
  /// How long a handshake took that was a success.
  void shook_hands(std::string_view protocol, Duration took);
  void retrying(const Failure& failure, std::size_t attempt, std::size_t attempts, Duration delay);
  /// `connection` counts from 1. `how` is "connect", "accept" or "open".
  void connected(std::uint64_t connection, std::string_view how, std::string_view endpoint,
                 const tsock::Address& local, const tsock::Address& peer);
  /// What a TLS handshake has agreed on: in one line, with --tls-show in all detail.
  void tls(std::uint64_t connection, const TlsReport& tls);
  /// What another handshake has agreed on.
  void peer(std::uint64_t connection, const PeerReport& peer);
  /// Datagrams come from this address now, at an ADDRESS that hears many.
  void sender(std::uint64_t connection, const tsock::Address& address);
  /// The first byte from that side, so long after the connection was there. `side` is "local" or "remote".
  void first_byte(std::uint64_t connection, std::string_view side, Duration after);
  /// The side sends no more.
  void eof(std::uint64_t connection, std::string_view side, Duration after);
  /// We send no more to the side.
  void shutdown(std::uint64_t connection, std::string_view side);
  /// The program of exec: has ended.
  void exited(std::uint64_t connection, std::string_view program, const tsock::ExitStatus& status);
  void note(std::uint64_t connection, std::string_view text);
  /// `peer` is who was accepted, or empty. With -k a failure is told at any verbosity: nothing else tells it.
  void closed(std::uint64_t connection, const tsock::Address& peer, const Counters& bytes,
              const Failure& failure);
  void failed(const Failure& failure);
  void statistics(const Statistics& statistics);
  void bench(std::uint64_t connection, const Counters& counters, Duration time);
  void ping(const PingResult& result, std::string_view endpoint);
  /// A port of a scan, as it is known.
  void scanned(const ScanResult& result);
  void scan_over(const std::vector<ScanResult>& results);
  void diagnostics(std::string_view text);
  void trace(const tsock::TraceEvent& event);
  /// Bytes of the transcript; `lines` is how they look when the report is text. `from` is empty, or the
  /// sender of the datagram.
  void data(std::uint64_t connection, Direction direction, std::uint64_t offset,
            std::span<const std::byte> bytes, const tsock::Address& from, std::string_view lines);

  [[nodiscard]] bool is_json() const noexcept { return json_; }
  /// Whether anybody is told of what goes well.
  [[nodiscard]] bool is_verbose() const noexcept { return json_ || verbosity_ > 0; }
  /// Whether sentences are read by somebody at a terminal, who also types the input.
  [[nodiscard]] bool is_for_terminal() const noexcept { return is_terminal_ && !json_; }
  /// The time of day and a space, or nothing without --timestamps.
  [[nodiscard]] std::string timestamp() const;

 private:
  using Fields = std::function<void(nlohmann::ordered_json& object)>;

  // One object, or one sentence when the verbosity is at least `level`.
  void emit(int level, std::string_view event, std::string_view text, const Fields& fields);

  void show_live(const Statistics& statistics);
  void clear_live_line();

  std::ostream& out_;
  bool json_;
  bool announce_;
  bool timestamps_;
  bool keeps_listening_;
  bool shows_tls_;
  int verbosity_;
  bool is_terminal_;
  bool has_live_line_ = false;
};

}  // namespace tsock_cat
