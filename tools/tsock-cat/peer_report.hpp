#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace tsock_cat {

/// What a handshake of NPA, GSSAPI or SASL has agreed on, in texts that are safe on a terminal and without
/// secrets.
struct PeerReport {
  using Value = std::variant<std::string, std::uint64_t, bool>;

  std::string event;                                  ///< of JSON: "npa"
  std::string text;                                   ///< the same in one line
  std::vector<std::pair<std::string, Value>> fields;  ///< of JSON
};

}  // namespace tsock_cat
