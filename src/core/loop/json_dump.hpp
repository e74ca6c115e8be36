#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tsock/callback_times.hpp>
#include <tsock/detail/request_state.hpp>
#include <tsock/loop_metrics.hpp>
#include <vector>

#include "core/base/json_writer.hpp"

namespace tsock::inline v0::detail {

/// Appends what `Loop::dump_json()` writes.
void write_dump(std::string& out, const LoopMetrics& metrics, const CallbackTimes& times,
                std::vector<const RequestState*> states, std::uint64_t now_ms);
/// The members of an object that has begun.
void write_members(JsonWriter& json, const LoopMetrics& metrics);
void write_times(JsonWriter& json, const CallbackTimes& times);
/// What `describe()` adds to a line of the dump, without the comma in front.
[[nodiscard]] std::string detail_of(const RequestState& state);

}  // namespace tsock::inline v0::detail
