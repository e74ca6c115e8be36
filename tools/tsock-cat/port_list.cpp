#include "port_list.hpp"

#include <algorithm>
#include <tsock/address.hpp>
#include <tsock/resolver.hpp>
#include <utility>

#include "endpoint.hpp"

namespace tsock_cat {
namespace {

// One number, "first-last", or the name of a service.
bool add_ports(std::string_view text, bool datagram, std::vector<std::uint16_t>& ports) {
  const std::size_t dash = text.find('-');
  const auto first = parse_port(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_port(text.substr(dash + 1));
  if (first && last) {
    if (*first == 0 || *first > *last) return false;
    for (unsigned port = *first; port <= *last; ++port) ports.push_back(static_cast<std::uint16_t>(port));
    return true;
  }
  const auto service = parse_service(text, datagram);
  if (service) ports.push_back(*service);
  return service.has_value();
}

bool read_host(std::string_view word, ScanTarget& target, std::string& error) {
  if (word.starts_with('[') && word.ends_with(']')) word = word.substr(1, word.size() - 2);
  target.host = word;
  const bool is_ipv6 = word.find(':') != std::string_view::npos;
  if (!word.empty() && (is_ipv6 || tsock::is_host_text(word))) return true;
  error = std::string(word) + ": " +
          (word.empty() ? "the host is missing" : std::string(tsock::Address::parse_error_text(word)));
  return false;
}

// "HOST:PORTS", also behind tcp:// or udp://, which say nothing new.
bool read_target(std::string_view word, bool datagram, ScanTarget& target, std::string& error) {
  const std::string_view scheme = datagram ? "udp:" : "tcp:";
  std::string_view rest = word;
  if (rest.starts_with(scheme)) rest.remove_prefix(scheme.size());
  if (rest.starts_with("//")) rest.remove_prefix(2);
  const std::size_t colon = rest.rfind(':');
  auto ports =
      colon == std::string_view::npos ? std::nullopt : parse_port_list(rest.substr(colon + 1), datagram);
  if (!ports) {
    error = std::string(word) + ": no ports to scan, as in -z HOST 22,80,8000-8010";
    return false;
  }
  target.ports = std::move(*ports);
  return read_host(rest.substr(0, colon), target, error);
}

}  // namespace

std::optional<std::vector<std::uint16_t>> parse_port_list(std::string_view text, bool datagram) {
  std::vector<std::uint16_t> ports;
  while (true) {
    const std::size_t comma = text.find(',');
    if (!add_ports(text.substr(0, comma), datagram, ports)) return std::nullopt;
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  std::sort(ports.begin(), ports.end());
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
  return ports;
}

std::vector<ScanTarget> parse_scan_targets(const std::vector<std::string>& words, bool datagram,
                                           std::string& error) {
  std::vector<ScanTarget> targets;
  if (words.empty()) error = "-z needs hosts and ports, as in -z HOST 22,80,8000-8010";
  const auto ports = words.size() < 2 ? std::nullopt : parse_port_list(words.back(), datagram);
  const std::size_t count = words.size() - (ports ? 1U : 0U);
  for (std::size_t i = 0; i < count && error.empty(); ++i) {
    ScanTarget& target = targets.emplace_back();
    if (ports) target.ports = *ports;
    static_cast<void>(ports ? read_host(words[i], target, error)
                            : read_target(words[i], datagram, target, error));
  }
  if (!error.empty()) targets.clear();
  return targets;
}

}  // namespace tsock_cat
