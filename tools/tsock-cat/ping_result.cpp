#include "ping_result.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace tsock_cat {
namespace {

constexpr std::size_t widest_bar = 40;
constexpr Duration lowest_limit = std::chrono::microseconds(1);

}  // namespace

Duration PingResult::quantile(double share) const {
  if (times.empty()) return Duration::zero();
  std::vector<Duration> sorted = times;
  // The nearest rank.
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  const auto at =
      sorted.begin() + static_cast<std::ptrdiff_t>(std::clamp(rank, std::size_t{1}, sorted.size()) - 1);
  std::nth_element(sorted.begin(), at, sorted.end());
  return *at;
}

std::vector<std::pair<Duration, std::size_t>> PingResult::histogram() const {
  std::vector<std::pair<Duration, std::size_t>> rows;
  if (times.empty()) return rows;
  const Duration longest = quantile(1);
  Duration limit = lowest_limit;
  while (limit < quantile(0)) limit *= 2;
  while (true) {
    rows.emplace_back(limit, 0);
    if (limit >= longest) break;
    limit *= 2;
  }
  for (const Duration time : times) {
    const auto row =
        std::find_if(rows.begin(), rows.end(), [time](const auto& each) { return time <= each.first; });
    ++row->second;
  }
  return rows;
}

std::string ping_table(const PingResult& result) {
  std::string out = std::to_string(result.times.size()) + " answers to " + std::to_string(result.sent) +
                    " messages of " + std::to_string(result.message_size) + " bytes\n";
  if (result.times.empty()) return out;
  constexpr std::array<std::pair<const char*, double>, 5> shown{
      {{"min", 0}, {"median", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}}};
  std::string line;
  for (const auto& [name, share] : shown)
    line += (line.empty() ? "" : ", ") + std::string(name) + " " + format_duration(result.quantile(share));
  out += line + '\n';
  const auto rows = result.histogram();
  const auto most = std::max_element(rows.begin(), rows.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  for (const auto& [limit, count] : rows) {
    std::string text = "<= " + format_duration(limit);
    text.resize(std::max(text.size(), std::size_t{14}), ' ');
    const std::size_t width = (count * widest_bar + most->second - 1) / most->second;
    out += text + std::string(width, '#') + (width > 0 ? " " : "") + std::to_string(count) + '\n';
  }
  return out;
}

}  // namespace tsock_cat
