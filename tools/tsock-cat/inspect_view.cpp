#include "inspect_view.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <map>
#include <tuple>
#include <utility>

namespace tsock_cat {
namespace {

using Dump = nlohmann::json;

template <class... Values>
std::string printed(const char* format, Values... values) {
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

// "850 ns", "3.2 ms".
std::string length_text(double nanoseconds) {
  constexpr std::array<const char*, 4> names_of_units{"ns", "us", "ms", "s"};
  std::size_t unit = 0;
  while (nanoseconds >= 1000 && unit + 1 < names_of_units.size()) {
    nanoseconds /= 1000;
    ++unit;
  }
  return printed(unit == 0 || nanoseconds >= 100 ? "%.0f %s" : "%.1f %s", nanoseconds, names_of_units[unit]);
}

std::string short_text(double number) {
  constexpr std::array<const char*, 4> names_of_units{"", "k", "M", "G"};
  std::size_t unit = 0;
  while (number >= 10000 && unit + 1 < names_of_units.size()) {
    number /= 1000;
    ++unit;
  }
  return printed("%.0f%s", number, names_of_units[unit]);
}

std::string place_text(const Dump& object) {
  const auto line = object.at("line").get<std::uint32_t>();
  if (line == 0) return {};
  const auto file = object.at("file").get<std::string>();
  return file.substr(file.find_last_of("/\\") + 1) + ':' + std::to_string(line);
}

// The daemon's text must not steer our terminal. Columns are counted in characters.
std::string cut_to(std::string_view text, std::size_t columns) {
  std::string out;
  std::size_t used = 0;
  for (std::size_t index = 0; index < text.size(); ++index) {
    const auto byte = static_cast<unsigned char>(text[index]);
    const bool begins = (byte & 0xc0U) != 0x80U;
    if (begins && used++ == columns) break;
    const bool is_c1 =
        byte == 0xc2 && index + 1 < text.size() && static_cast<unsigned char>(text[index + 1]) < 0xa0;
    if (byte < 0x20 || byte == 0x7f || is_c1) {
      out += '?';
      if (is_c1) ++index;
    } else {
      out += text[index];
    }
  }
  return out;
}

// The upper bound of the bucket that has the given part of all calls.
std::string quantile_text(const Dump& histogram, double total, double part) {
  double sum = 0;
  for (const Dump& bucket : histogram) {
    sum += bucket.at("count").get<double>();
    if (sum < part * total) continue;
    return bucket.contains("below_ns") ? "< " + length_text(bucket.at("below_ns").get<double>()) : "longer";
  }
  return "-";
}

std::string request_line(const Dump& request) {
  std::string line(2 + 2 * std::min<std::size_t>(request.at("depth").get<std::size_t>(), 8), ' ');
  line += request.at("name").get<std::string>();
  line += "  " + place_text(request);
  line += "  " + length_text(request.at("age_ms").get<double>() * 1e6);
  if (const auto bytes = request.at("transferred").get<std::uint64_t>(); bytes != 0)
    line += "  " + std::to_string(bytes) + " bytes";
  if (request.at("finished").get<bool>()) line += "  finished";
  if (const auto reason = request.at("reason").get<std::string>(); !reason.empty())
    line += "  (" + reason + ')';
  if (request.at("on").get<std::uint64_t>() == 0) line += "  " + request.at("detail").get<std::string>();
  return line;
}

}  // namespace

bool InspectView::take(std::string_view json, std::chrono::steady_clock::time_point when) {
  Dump next = Dump::parse(json, nullptr, false);
  if (!next.is_object()) return false;
  InspectView trial(daemon_);
  trial.now_ = next;
  trial.before_ = next;
  try {
    static_cast<void>(trial.lines(1000, 80));  // has all that is shown
  } catch (const Dump::exception&) {
    return false;
  }
  if (!now_.is_null()) before_ = std::exchange(now_, {});
  interval_ = std::chrono::duration<double>(when - std::exchange(when_, when)).count();
  now_ = std::move(next);
  return true;
}

std::string InspectView::rate(const char* counter) const {
  const auto value = now_.at("metrics").at(counter).get<double>();
  if (!before_ || interval_ <= 0) return "-";
  return short_text((value - before_->at("metrics").at(counter).get<double>()) / interval_) + "/s";
}

void InspectView::add_callbacks(std::vector<std::string>& lines) const {
  if (!times_callbacks()) {
    lines.emplace_back("callbacks are not measured (c begins)");
    return;
  }
  const Dump& times = now_.at("callbacks");
  const auto count = times.at("count").get<double>();
  std::string line = "callbacks " + short_text(count);
  if (before_ && before_->contains("callbacks") && interval_ > 0) {
    const double held =
        times.at("total_ns").get<double>() - before_->at("callbacks").at("total_ns").get<double>();
    line += printed("   held the loop %.1f %%", std::max(0.0, held / interval_ / 1e7));
  }
  line += "   median " + quantile_text(times.at("histogram"), count, 0.5) + "   p99 " +
          quantile_text(times.at("histogram"), count, 0.99) + "   longest " +
          length_text(times.at("longest_ns").get<double>());
  lines.push_back(std::move(line));
  std::size_t shown = 0;
  for (const Dump& slow : times.at("slowest")) {
    if (++shown > 5) break;
    lines.push_back("  " + length_text(slow.at("longest_ns").get<double>()) + "  " +
                    slow.at("name").get<std::string>() + "  " + place_text(slow));
  }
}

// Streams with their requests, those with the oldest request first; then all others.
void InspectView::add_requests(std::vector<std::string>& lines) const {
  struct Group {
    std::string what;
    double oldest = 0;
    std::vector<std::string> requests;
  };
  std::map<std::uint64_t, Group> groups;
  for (const Dump& request : now_.at("requests")) {
    const auto on = request.at("on").get<std::uint64_t>();
    Group& group = groups[on];
    group.what = on == 0 ? "other requests" : request.at("on_what").get<std::string>();
    group.oldest = std::max(group.oldest, request.at("age_ms").get<double>());
    group.requests.push_back(request_line(request));
  }
  std::vector<std::pair<std::uint64_t, const Group*>> order;
  order.reserve(groups.size());
  for (const auto& [on, group] : groups) order.emplace_back(on, &group);
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    const auto place = [](const auto& one) {
      return std::tuple(one.first == 0, -one.second->oldest, one.first);
    };
    return place(a) < place(b);
  });
  for (const auto& [on, group] : order) {
    lines.push_back(group->what);
    lines.insert(lines.end(), group->requests.begin(), group->requests.end());
  }
}

std::vector<std::string> InspectView::lines(std::size_t rows, std::size_t columns) const {
  std::vector<std::string> lines;
  lines.push_back(daemon_ + "   q quits");
  if (silence_.count() != 0) {
    lines.back() += "   no answer for " + std::to_string(silence_.count()) +
                    " s: a callback holds its loop, or it is stopped";
  }
  if (now_.is_null()) return {cut_to(lines.front(), columns)};
  lines.push_back("requests " + short_text(now_.at("in_progress").get<double>()) + "   deadlines " +
                  short_text(now_.at("deadlines").get<double>()) + "   completions " + rate("completions") +
                  "   events " + rate("events") + "   posted " + rate("posted"));
  add_callbacks(lines);
  lines.emplace_back();
  add_requests(lines);
  if (lines.size() > rows && rows != 0) {
    const std::size_t hidden = lines.size() - rows + 1;
    lines.resize(rows - 1);
    lines.push_back("... " + std::to_string(hidden) + " more lines");
  }
  for (std::string& line : lines) line = cut_to(line, columns);
  return lines;
}

}  // namespace tsock_cat
