#pragma once

#include <ostream>
#include <string_view>
#include <tsock/outcome.hpp>
#include <tsock/poll.hpp>
#include <tsock/pump.hpp>
#include <tsock/readiness.hpp>
#include <tsock/resolver.hpp>
#include <tsock/stale_socket.hpp>
#include <tsock/tcp_info.hpp>
#include <tsock/trace.hpp>
#include <tsock/watermarks.hpp>

/// Names of the enumerators, and `operator<<` for them: for logs and tests. A value that is none of its
/// enumerators is "?".
namespace tsock::inline v0 {

[[nodiscard]] constexpr std::string_view name_of(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::done:
      return "done";
    case Outcome::failed:
      return "failed";
    case Outcome::abandoned:
      return "abandoned";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(Readiness readiness) noexcept {
  switch (readiness) {
    case Readiness::later:
      return "later";
    case Readiness::now:
      return "now";
    case Readiness::next_turn:
      return "next_turn";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(Watermark mark) noexcept {
  switch (mark) {
    case Watermark::high:
      return "high";
    case Watermark::low:
      return "low";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(PumpSide side) noexcept {
  switch (side) {
    case PumpSide::none:
      return "none";
    case PumpSide::source:
      return "source";
    case PumpSide::target:
      return "target";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(AddressFamily family) noexcept {
  switch (family) {
    case AddressFamily::any:
      return "any";
    case AddressFamily::ipv4:
      return "ipv4";
    case AddressFamily::ipv6:
      return "ipv6";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(StaleSocket stale) noexcept {
  switch (stale) {
    case StaleSocket::fail:
      return "fail";
    case StaleSocket::probe_and_replace:
      return "probe_and_replace";
    case StaleSocket::replace:
      return "replace";
  }
  return "?";
}
[[nodiscard]] inline std::string_view name_of(TcpState state) noexcept { return tcp_state_name(state); }
[[nodiscard]] inline std::string_view name_of(TraceKind kind) noexcept { return trace_kind_name(kind); }

/// An enumeration of tsock whose enumerators have names.
template <class E>
concept NamedEnum = requires(E value) {
  name_of(value);
};

template <NamedEnum E>
std::ostream& operator<<(std::ostream& out, E value) {
  return out << name_of(value);
}

/// The events of the set with "|" between them, "none" for an empty one.
inline std::ostream& operator<<(std::ostream& out, PollEvents events) {
  bool is_first = true;
  const auto print = [&](PollEvents event, std::string_view name) {
    if (!intersect(events, event)) return;
    out << (is_first ? "" : "|") << name;
    is_first = false;
  };
  print(PollEvents::readable, "readable");
  print(PollEvents::writable, "writable");
  print(PollEvents::hang_up, "hang_up");
  print(PollEvents::error, "error");
  return is_first ? out << "none" : out;
}

}  // namespace tsock::inline v0
