#include "report.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <ostream>
#include <tsock/error.hpp>
#include <utility>
#include <variant>

#include "hexdump.hpp"
#include "system.hpp"

namespace tsock_cat {
namespace {

using Json = nlohmann::ordered_json;

// Levels of verbosity: what is said always, with -v, with -vv.
constexpr int always = 0;
constexpr int verbose = 1;
constexpr int detailed = 2;

std::string time_of_day(bool utc) {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
  std::tm fields{};
#if defined(_WIN32)
  utc ? gmtime_s(&fields, &seconds) : localtime_s(&fields, &seconds);
#else
  utc ? gmtime_r(&seconds, &fields) : localtime_r(&seconds, &fields);
#endif
  std::array<char, 40> text{};
  const std::size_t size =
      std::strftime(text.data(), text.size(), utc ? "%Y-%m-%dT%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &fields);
  std::array<char, 8> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03d", static_cast<int>(since.count() % 1000));
  return std::string(text.data(), size) + fraction.data() + (utc ? "Z" : "");
}

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

double rate(std::uint64_t bytes, Duration duration) {
  return duration > Duration::zero() ? static_cast<double>(bytes) / seconds(duration) : 0;
}

// "3.2 MB/s"; decimal units, as network rates are given.
std::string rate_text(double bytes_per_second) {
  constexpr std::array<const char*, 5> names{"B/s", "kB/s", "MB/s", "GB/s", "TB/s"};
  std::size_t unit = 0;
  while (bytes_per_second >= 1000 && unit + 1 < names.size()) {
    bytes_per_second /= 1000;
    ++unit;
  }
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", bytes_per_second, names[unit]);
  return text.data();
}

std::string count_text(std::uint64_t number, const std::string& unit) {
  return std::to_string(number) + " " + unit + (number == 1 ? "" : "s");
}

std::string count_text(std::uint64_t bytes) { return count_text(bytes, "byte"); }

// Bytes, and datagrams when there were any.
std::string count_text(std::uint64_t bytes, std::uint64_t datagrams) {
  std::string text = count_text(bytes);
  if (datagrams != 0) text += " in " + count_text(datagrams, "datagram");
  return text;
}

std::string dropped_text(std::uint64_t dropped) {
  return dropped == 0 ? "" : "; dropped " + count_text(dropped, "datagram");
}

void add_counters(Json& object, const Counters& counters) {
  object["sent"] = counters.sent;
  object["received"] = counters.received;
  object["datagrams_sent"] = counters.datagrams_sent;
  object["datagrams_received"] = counters.datagrams_received;
  object["dropped"] = counters.dropped;
}

// "connection 3: ", but nothing for the first: most of the time it is the only one.
std::string prefix(std::uint64_t connection) {
  return connection > 1 ? "connection " + std::to_string(connection) + ": " : "";
}

Json json_of(const TlsCertificate& certificate) {
  return Json{{"subject", certificate.subject},
              {"issuer", certificate.issuer},
              {"serial", certificate.serial},
              {"not_before", time_text(certificate.not_before)},
              {"not_after", time_text(certificate.not_after)},
              {"names", certificate.names},
              {"key", certificate.key},
              {"signature", certificate.signature},
              {"pin", certificate.pin}};
}

std::string json_state_name(PortState state) {
  std::string name(port_state_name(state));
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

// What the system does not have is missing.
Json json_of(const tsock::TcpInfo& info) {
  Json object = Json::object();
  const auto add_time = [&object](const char* name, const std::optional<std::chrono::microseconds>& time) {
    if (time) object[name] = seconds(*time);
  };
  const auto add = [&object](const char* name, const auto& value) {
    if (value) object[name] = *value;
  };
  if (info.state) object["state"] = tsock::tcp_state_name(*info.state);
  add_time("rtt", info.rtt);
  add_time("rttvar", info.rttvar);
  add_time("min_rtt", info.min_rtt);
  add_time("rto", info.rto);
  add("mss", info.mss);
  add("path_mtu", info.path_mtu);
  add("cwnd", info.cwnd);
  add("unacked", info.unacked);
  add("lost", info.lost);
  add("retransmits", info.retransmits);
  add("bytes_sent", info.bytes_sent);
  add("bytes_acked", info.bytes_acked);
  add("bytes_received", info.bytes_received);
  add("bytes_unsent", info.bytes_unsent);
  add("delivery_rate", info.delivery_rate);
  return object;
}

std::string text_of(const tsock::TcpInfo& info) {
  std::string text;
  if (info.rtt) text += "; rtt " + format_duration(*info.rtt);
  if (info.retransmits.value_or(0) != 0)
    text += "; " + count_text(*info.retransmits, "segment") + " sent again";
  return text;
}

void add_failure(Json& object, const Failure& failure) {
  object["code"] = static_cast<int>(failure.code);
  object["text"] = sentence(failure);
  if (failure.err != 0) object["errno"] = tsock::error_name(failure.err);
  if (!failure.where.empty()) object["address"] = failure.where;
  if (!failure.limit.empty()) object["limit"] = failure.limit;
  if (const std::string text = hint(failure); !text.empty()) object["hint"] = text;
}

}  // namespace

Report::Report(const Options& options, std::ostream& out)
    : out_(out),
      json_(options.json),
      announce_(options.announce),
      timestamps_(options.timestamps),
      keeps_listening_(options.keep_listening),
      shows_tls_(options.tls.show),
      verbosity_(options.verbosity),
      is_terminal_(tsock_cat::is_terminal(2)) {}

std::string Report::timestamp() const { return timestamps_ ? time_of_day(false) + " " : ""; }

// Whoever reads the report may go, or not be ready for once: what comes later is tried all the same.
void Report::emit(int level, std::string_view event, std::string_view text, const Fields& fields) {
  out_.clear();
  if (json_) {
    Json object{{"schema", schema}, {"time", time_of_day(true)}, {"event", event}};
    fields(object);
    // A path or a host name need not be UTF-8.
    out_ << object.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  } else if (verbosity_ >= level) {
    clear_live_line();
    out_ << timestamp() << text << '\n';
  }
  out_.flush();
}

void Report::listening(std::string_view address) {
  emit(announce_ ? always : verbose, "listening", "listening " + std::string(address),
       [&](Json& object) { object["address"] = address; });
}

void Report::connecting(std::string_view endpoint) {
  emit(detailed, "connecting", "tsock-cat: connecting to " + std::string(endpoint),
       [&](Json& object) { object["endpoint"] = endpoint; });
}

void Report::looked_up(std::string_view host, std::size_t addresses, Duration took, int err) {
  const std::string result =
      err == 0 ? "has " + std::to_string(addresses) + (addresses == 1 ? " address" : " addresses")
               : tsock::error_text(err);
  emit(verbose, "lookup",
       "tsock-cat: " + std::string(host) + ": " + result + ", after " + format_duration(took),
       [&](Json& object) {
         object["host"] = host;
         object["addresses"] = addresses;
         object["seconds"] = seconds(took);
         if (err != 0) object["errno"] = tsock::error_name(err);
       });
}

void Report::attempted(const tsock::ConnectAttempt& attempt) {
  const Duration took = attempt.took;
  const std::string result = attempt.error == 0           ? "connected"
                             : attempt.error == ECANCELED ? "given up for a faster address"
                                                          : tsock::error_text(attempt.error);
  const std::string address = attempt.address.to_string();
  emit(verbose, "attempt", "tsock-cat: " + address + ": " + result + ", after " + format_duration(took),
       [&](Json& object) {
         object["address"] = address;
         object["started"] = seconds(attempt.started);
         object["seconds"] = seconds(took);
         if (attempt.error != 0) object["errno"] = tsock::error_name(attempt.error);
         if (!attempt.reason.empty()) object["reason"] = attempt.reason;
       });
}

void Report::shook_hands(std::string_view protocol, Duration took) {
  emit(verbose, "handshake",
       "tsock-cat: handshake of " + std::string(protocol) + " took " + format_duration(took),
       [&](Json& object) {
         object["protocol"] = protocol;
         object["seconds"] = seconds(took);
       });
}

void Report::retrying(const Failure& failure, std::size_t attempt, std::size_t attempts, Duration delay) {
  emit(verbose, "retry",
       "tsock-cat: " + sentence(failure) + "; try " + std::to_string(attempt) + " of " +
           std::to_string(attempts) + " in " + format_duration(delay),
       [&](Json& object) {
         add_failure(object, failure);
         object["attempt"] = attempt;
         object["attempts"] = attempts;
         object["delay"] = seconds(delay);
       });
}

void Report::connected(std::uint64_t connection, std::string_view how, std::string_view endpoint,
                       const tsock::Address& local, const tsock::Address& peer) {
  const bool accepted = how == "accept";
  std::string text = "tsock-cat: " + prefix(connection) + (accepted ? "accepted on " : "connected to ") +
                     std::string(endpoint);
  if (!peer.to_string().empty()) text += (accepted ? ", from " : ", at ") + peer.to_string();
  emit(verbose, "connected", text, [&](Json& object) {
    object["connection"] = connection;
    object["how"] = how;
    object["endpoint"] = endpoint;
    object["local"] = local.to_string();
    object["peer"] = peer.to_string();
  });
}

void Report::tls(std::uint64_t connection, const TlsReport& tls) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  std::string text = "tsock-cat: " + prefix(connection) + summary(tls);
  if (shows_tls_) text += '\n' + details(tls, now);
  if (text.ends_with('\n')) text.pop_back();
  emit(shows_tls_ ? always : verbose, "tls", text, [&](Json& object) {
    object["connection"] = connection;
    object["version"] = tls.version;
    object["cipher"] = tls.cipher;
    if (!tls.group.empty()) object["group"] = tls.group;
    if (!tls.alpn.empty()) object["alpn"] = tls.alpn;
    if (!tls.server_name.empty()) object["server_name"] = tls.server_name;
    if (!tls.psk_identity.empty()) object["psk_identity"] = tls.psk_identity;
    object["resumed"] = tls.is_resumed;
    object["verified"] = tls.is_verified;
    if (!tls.verification.empty()) object["verification"] = tls.verification;
    object["chain"] = Json::array();
    for (const TlsCertificate& certificate : tls.chain) object["chain"].push_back(json_of(certificate));
  });
}

void Report::peer(std::uint64_t connection, const PeerReport& peer) {
  emit(verbose, peer.event, "tsock-cat: " + prefix(connection) + peer.text, [&](Json& object) {
    object["connection"] = connection;
    for (const auto& [name, value] : peer.fields)
      std::visit([&object, &key = name](const auto& each) { object[key] = each; }, value);
  });
}

void Report::sender(std::uint64_t connection, const tsock::Address& address) {
  const std::string text = address.to_string();
  emit(verbose, "sender", "tsock-cat: " + prefix(connection) + "datagrams from " + text, [&](Json& object) {
    object["connection"] = connection;
    object["peer"] = text;
  });
}

void Report::first_byte(std::uint64_t connection, std::string_view side, Duration after) {
  emit(verbose, "first_byte",
       "tsock-cat: " + prefix(connection) + "first byte from the " + std::string(side) + " side, after " +
           format_duration(after),
       [&](Json& object) {
         object["connection"] = connection;
         object["side"] = side;
         object["seconds"] = seconds(after);
       });
}

void Report::eof(std::uint64_t connection, std::string_view side, Duration after) {
  emit(
      verbose, "eof",
      "tsock-cat: " + prefix(connection) + std::string(side) + " side ended, after " + format_duration(after),
      [&](Json& object) {
        object["connection"] = connection;
        object["side"] = side;
        object["seconds"] = seconds(after);
      });
}

void Report::shutdown(std::uint64_t connection, std::string_view side) {
  emit(detailed, "shutdown",
       "tsock-cat: " + prefix(connection) + "no more bytes for the " + std::string(side) + " side",
       [&](Json& object) {
         object["connection"] = connection;
         object["side"] = side;
       });
}

void Report::exited(std::uint64_t connection, std::string_view program, const tsock::ExitStatus& status) {
  const std::string how = status.signal != 0 ? "was ended by signal " + std::to_string(status.signal)
                                             : "ended with status " + std::to_string(status.code);
  emit(verbose, "exited", "tsock-cat: " + prefix(connection) + std::string(program) + ' ' + how,
       [&](Json& object) {
         object["connection"] = connection;
         object["program"] = program;
         object[status.signal != 0 ? "signal" : "status"] = status.signal != 0 ? status.signal : status.code;
       });
}

void Report::note(std::uint64_t connection, std::string_view text) {
  emit(always, "note", "tsock-cat: " + prefix(connection) + std::string(text), [&](Json& object) {
    object["connection"] = connection;
    object["text"] = text;
  });
}

void Report::closed(std::uint64_t connection, const tsock::Address& peer, const Counters& bytes,
                    const Failure& failure) {
  const std::string from = peer.is_empty() || peer.is_unnamed() ? "" : peer.to_string();
  std::string text =
      "tsock-cat: " + prefix(connection) + "closed after " + count_text(bytes.sent, bytes.datagrams_sent) +
      " out, " + count_text(bytes.received, bytes.datagrams_received) + " in" + dropped_text(bytes.dropped);
  if (failure) text += (from.empty() ? ": " : ", from " + from + ": ") + sentence(failure);
  // Of a signal nobody has to hear once for each connection.
  const bool is_news = failure && failure.code != ExitCode::interrupted;
  emit(is_news && keeps_listening_ ? always : verbose, "closed", text, [&](Json& object) {
    object["connection"] = connection;
    if (!from.empty()) object["peer"] = from;
    add_counters(object, bytes);
    add_failure(object, failure);
  });
}

void Report::failed(const Failure& failure) {
  const std::string what_to_try = hint(failure);
  emit(always, "error",
       "tsock-cat: " + sentence(failure) + (what_to_try.empty() ? "" : " (" + what_to_try + ")"),
       [&](Json& object) { add_failure(object, failure); });
}

// One line that each next one replaces, cut to the width of the terminal.
void Report::show_live(const Statistics& s) {
  std::string text = "out " + rate_text(rate(s.interval.sent, s.interval_length)) + ", in " +
                     rate_text(rate(s.interval.received, s.interval_length)) + "; total " +
                     std::to_string(s.total.sent) + " out, " + std::to_string(s.total.received) +
                     " in; queued " + std::to_string(s.queued) + "; connections " +
                     std::to_string(s.connections);
  if (s.tcp) text += text_of(*s.tcp);
  std::size_t width = terminal_width(2).value_or(80);
  if (width <= 1) width = 80;
  out_.clear();
  out_ << '\r' << text.substr(0, width - 1) << "\x1b[K";
  out_.flush();
  has_live_line_ = true;
}

void Report::clear_live_line() {
  if (std::exchange(has_live_line_, false)) out_ << "\r\x1b[K";
}

void Report::bench(std::uint64_t connection, const Counters& counters, Duration time) {
  const double speed = rate(counters.sent, time);
  emit(always, "bench",
       "tsock-cat: " + prefix(connection) + "sent " + count_text(counters.sent, counters.datagrams_sent) +
           " in " + format_duration(time) + ": " + rate_text(speed),
       [&](Json& object) {
         object["connection"] = connection;
         object["seconds"] = seconds(time);
         object["rate"] = speed;
         add_counters(object, counters);
       });
}

void Report::ping(const PingResult& result, std::string_view endpoint) {
  if (!json_) return;  // the table is what was asked for, and goes to standard output
  emit(always, "ping", {}, [&](Json& object) {
    object["endpoint"] = endpoint;
    object["sent"] = result.sent;
    object["received"] = result.times.size();
    object["message_size"] = result.message_size;
    if (result.times.empty()) return;
    object["min"] = seconds(result.quantile(0));
    object["median"] = seconds(result.quantile(0.5));
    object["p90"] = seconds(result.quantile(0.9));
    object["p99"] = seconds(result.quantile(0.99));
    object["max"] = seconds(result.quantile(1));
    object["histogram"] = Json::array();
    for (const auto& [limit, count] : result.histogram())
      object["histogram"].push_back({{"limit", seconds(limit)}, {"count", count}});
  });
}

void Report::statistics(const Statistics& s) {
  if (!s.final && is_for_terminal()) return show_live(s);
  const auto& counted = s.final ? s.total : s.interval;
  const Duration length = s.final ? s.elapsed : s.interval_length;
  const double out = rate(counted.sent, length);
  const double in = rate(counted.received, length);
  std::string text = "out " + count_text(s.total.sent, s.total.datagrams_sent) + ", " + rate_text(out) +
                     "; in " + count_text(s.total.received, s.total.datagrams_received) + ", " +
                     rate_text(in) + dropped_text(s.total.dropped);
  if (s.final) {
    text += "; " + format_duration(s.elapsed);
  } else {
    text += "; queued " + count_text(s.queued) + "; connections " + std::to_string(s.connections);
  }
  if (s.tcp) text += text_of(*s.tcp);
  emit(always, "stats", text, [&](Json& object) {
    object["final"] = s.final;
    object["seconds"] = seconds(s.elapsed);
    add_counters(object, s.total);
    object["rate_sent"] = out;
    object["rate_received"] = in;
    object["queued"] = s.queued;
    object["connections"] = s.connections;
    if (s.tcp) object["tcp"] = json_of(*s.tcp);
  });
}

void Report::scanned(const ScanResult& result) {
  const std::string address = result.address.to_string();
  emit(detailed, "scan", "tsock-cat: " + address + " " + std::string(port_state_name(result.state)),
       [&](Json& object) {
         object["host"] = result.host;
         object["address"] = address;
         object["protocol"] = result.is_datagram ? "udp" : "tcp";
         object["port"] = result.address.port().value_or(0);
         object["state"] = json_state_name(result.state);
         object["seconds"] = seconds(result.time);
         if (result.err != 0) object["errno"] = tsock::error_name(result.err);
       });
}

void Report::scan_over(const std::vector<ScanResult>& results) {
  emit(always, "scanned", "tsock-cat: " + scan_summary(results), [&](Json& object) {
    object["ports"] = results.size();
    for (const PortState state : port_states) {
      object[json_state_name(state)] =
          std::count_if(results.begin(), results.end(),
                        [state](const ScanResult& result) { return result.state == state; });
    }
  });
}

void Report::diagnostics(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  emit(always, "dump", text, [&](Json& object) { object["text"] = text; });
}

void Report::trace(const tsock::TraceEvent& event) {
  std::string text = "trace " + std::to_string(event.id);
  if (event.parent_id != 0) text += " of " + std::to_string(event.parent_id);
  text += " " + std::string(event.name) + " " + std::string(tsock::trace_kind_name(event.kind));
  if (event.transferred != 0) text += ", " + count_text(event.transferred);
  if (event.error != 0) text += ", " + std::string(tsock::error_name(event.error));
  emit(always, "trace", text, [&](Json& object) {
    object["request"] = event.id;
    if (event.parent_id != 0) object["parent"] = event.parent_id;
    object["name"] = event.name;
    object["step"] = tsock::trace_kind_name(event.kind);
    object["bytes"] = event.transferred;
    if (event.error != 0) object["errno"] = tsock::error_name(event.error);
  });
}

void Report::data(std::uint64_t connection, Direction direction, std::uint64_t offset,
                  std::span<const std::byte> bytes, const tsock::Address& from, std::string_view lines) {
  if (!json_) {
    out_.clear();
    clear_live_line();
    out_ << lines;
    out_.flush();
    return;
  }
  emit(always, "data", {}, [&](Json& object) {
    object["connection"] = connection;
    object["direction"] = direction == Direction::sent ? "sent" : "received";
    object["offset"] = offset;
    if (!from.is_empty()) object["peer"] = from.to_string();
    object["hex"] = hex_digits(bytes);
  });
}

}  // namespace tsock_cat
