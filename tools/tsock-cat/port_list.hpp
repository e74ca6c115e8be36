#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tsock_cat {

/// "22,80,8000-8010,https": the ports, each once and in ascending order. No value for anything else.
[[nodiscard]] std::optional<std::vector<std::uint16_t>> parse_port_list(std::string_view text, bool datagram);

/// A host whose ports are to be tried.
struct ScanTarget {
  std::string host;  ///< name or address
  std::vector<std::uint16_t> ports;
};

/// Reads "HOST... PORTS" or "HOST:PORTS...". On failure empty, with `error`, a sentence for the user.
[[nodiscard]] std::vector<ScanTarget> parse_scan_targets(const std::vector<std::string>& words, bool datagram,
                                                         std::string& error);

}  // namespace tsock_cat
