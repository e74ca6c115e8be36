#include "scan_result.hpp"

#include <algorithm>
#include <map>
#include <tsock/error.hpp>
#include <tuple>

#include "system.hpp"

namespace tsock_cat {
namespace {

// Ports of a host in the same state, other than open, that are shown one by one.
constexpr std::size_t most_rows = 16;

using Row = std::array<std::string, 4>;

std::string host_text(const ScanResult& result) {
  int err = 0;
  const std::string address = result.address.ip_string(err);
  return result.host == address ? address : result.host + " [" + address + "]";
}

std::string port_text(const ScanResult& result, bool with_service) {
  const std::uint16_t port = result.address.port().value_or(0);
  const char* const protocol = result.is_datagram ? "udp" : "tcp";
  std::string text = std::to_string(port) + "/" + protocol;
  const std::string service = with_service ? service_name(port, result.is_datagram) : "";
  if (!service.empty()) text += " " + service;
  return text;
}

std::string state_text(const ScanResult& result) {
  std::string text(port_state_name(result.state));
  if (result.state == PortState::failed || result.state == PortState::unreachable)
    text += ": " + std::string(tsock::error_text(result.err));
  return text;
}

std::string lines_of(const std::vector<Row>& rows) {
  std::array<std::size_t, 4> width{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  }
  std::string out;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(width[i] - row[i].size() + 2, ' ');
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return out;
}

}  // namespace

std::string_view port_state_name(PortState state) noexcept {
  switch (state) {
    case PortState::open:
      return "open";
    case PortState::refused:
      return "refused";
    case PortState::no_answer:
      return "no answer";
    case PortState::timed_out:
      return "timed out";
    case PortState::unreachable:
      return "unreachable";
    case PortState::failed:
      break;
  }
  return "failed";
}

std::string scan_table(const std::vector<ScanResult>& results, bool all, bool services) {
  std::map<std::pair<std::string, PortState>, std::size_t> counts;
  for (const ScanResult& result : results) ++counts[{host_text(result), result.state}];
  std::vector<Row> rows{{"HOST", "PORT", "STATE", "TIME"}};
  for (const ScanResult& result : results) {
    const std::string host = host_text(result);
    const bool is_shown = all || result.state == PortState::open || counts[{host, result.state}] <= most_rows;
    if (is_shown)
      rows.push_back({host, port_text(result, services), state_text(result), format_duration(result.time)});
  }
  std::string hidden;
  for (const auto& [key, count] : counts) {
    if (all || key.second == PortState::open || count <= most_rows) continue;
    hidden += key.first + ": " + std::to_string(count) + " ports " +
              std::string(port_state_name(key.second)) + " (-v shows them)\n";
  }
  return (rows.size() > 1 ? lines_of(rows) : "") + hidden;
}

std::string scan_summary(const std::vector<ScanResult>& results) {
  std::string text;
  for (const PortState state : port_states) {
    const auto count = std::count_if(results.begin(), results.end(),
                                     [state](const ScanResult& result) { return result.state == state; });
    if (count == 0 && state != PortState::open) continue;
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + std::string(port_state_name(state));
  }
  return text;
}

}  // namespace tsock_cat
