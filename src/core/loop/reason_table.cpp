#include "core/loop/reason_table.hpp"

#include <new>

namespace tsock::inline v0::detail {

void ReasonTable::set(const RequestState& state, std::string_view reason) noexcept {
  try {
    reasons_.insert_or_assign(&state, std::string(reason));
  } catch (const std::bad_alloc&) {
    reasons_.erase(&state);
  }
}

std::string_view ReasonTable::find(const RequestState& state) const noexcept {
  const auto place = reasons_.find(&state);
  return place != reasons_.end() ? std::string_view(place->second) : std::string_view();
}

}  // namespace tsock::inline v0::detail
