#pragma once

#include <map>
#include <string>
#include <string_view>

namespace tsock::inline v0::detail {

class RequestState;

/// The reasons, in words, of the few failed requests whose error is more than an errno value. Each is kept
/// until its request is gone.
class ReasonTable {
 public:
  /// Keeps no reason when out of memory.
  void set(const RequestState& state, std::string_view reason) noexcept;
  [[nodiscard]] std::string_view find(const RequestState& state) const noexcept;
  void erase(const RequestState& state) noexcept { reasons_.erase(&state); }

 private:
  std::map<const RequestState*, std::string> reasons_;
};

}  // namespace tsock::inline v0::detail
