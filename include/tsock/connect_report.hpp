#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <tsock/address.hpp>
#include <vector>

namespace tsock::inline v0 {

/// One attempt of `connect_to_host()`. Times count from the call.
struct ConnectAttempt {
  Address address{};
  std::chrono::nanoseconds started{};
  std::chrono::nanoseconds took{};  ///< 0 while it is in progress
  /// 0 for the connection that was made; EINPROGRESS while it is in progress; ECANCELED for one that was
  /// given up because another was faster.
  int error = 0;
  std::string reason{};  ///< `Request::reason()` of a failed attempt
};

/// The parts of a `connect_to_host()`; see ConnectHostOptions::report.
struct ConnectReport {
  /// How long the names took; no value when the addresses were known.
  std::optional<std::chrono::nanoseconds> lookup{};
  int lookup_error = 0;                    ///< EINPROGRESS while the lookup lasts
  std::vector<Address> addresses{};        ///< to be tried, in this order
  std::vector<ConnectAttempt> attempts{};  ///< in the order of their start
  std::chrono::nanoseconds took{};         ///< the whole; 0 while it is in progress
};

}  // namespace tsock::inline v0
