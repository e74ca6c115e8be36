#pragma once

#include <string>
#include <tsock/export.hpp>

namespace tsock::inline v0 {

class Loop;

/// The loop's metrics and callback times in the text format of Prometheus (exposition format 0.0.4), names
/// beginning with `tsock_`. The histogram `tsock_callback_seconds` is there while callbacks are timed.
[[nodiscard]] TSOCK_EXPORT std::string metrics_text(const Loop& loop);

/// The same as a JSON object in one line, without a line feed: the members of LoopMetrics, and `callbacks` as
/// in `Loop::dump_json()`.
[[nodiscard]] TSOCK_EXPORT std::string metrics_json(const Loop& loop);

}  // namespace tsock::inline v0
