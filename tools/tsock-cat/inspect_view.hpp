#pragma once

#include <chrono>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tsock_cat {

/// What one refresh of `--inspect` shows: the lines of a screen, out of a `dump json` of a daemon and the one
/// before it.
class InspectView {
 public:
  explicit InspectView(std::string daemon) : daemon_(std::move(daemon)) {}

  /// Takes the next dump. \return false for one that is not the dump of a tsock daemon
  [[nodiscard]] bool take(std::string_view json, std::chrono::steady_clock::time_point when);
  /// Tells that the daemon has not answered for so long; 0 when it has.
  void set_silence(std::chrono::seconds silence) noexcept { silence_ = silence; }
  /// At most `rows` lines of at most `columns` characters, without what could steer a terminal.
  [[nodiscard]] std::vector<std::string> lines(std::size_t rows, std::size_t columns) const;
  /// Whether the daemon measures its callbacks.
  [[nodiscard]] bool times_callbacks() const { return now_.contains("callbacks"); }

 private:
  [[nodiscard]] std::string rate(const char* counter) const;
  void add_callbacks(std::vector<std::string>& lines) const;
  void add_requests(std::vector<std::string>& lines) const;

  std::string daemon_;
  nlohmann::json now_;
  std::optional<nlohmann::json> before_;
  std::chrono::steady_clock::time_point when_;
  std::chrono::seconds silence_{0};
  double interval_ = 0;  // seconds between the two
};

}  // namespace tsock_cat
