#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <tsock/address.hpp>
#include <tsock/exit_status.hpp>
#include <tsock/file_mode.hpp>
#include <tsock/lifecycle.hpp>
#include <tsock/outcome.hpp>
#include <tsock/peer_credentials.hpp>
#include <tsock/poll.hpp>
#include <tsock/pump.hpp>
#include <tsock/readiness.hpp>
#include <tsock/resolver.hpp>
#include <tsock/spawn_options.hpp>
#include <tsock/stale_socket.hpp>
#include <tsock/tcp_info.hpp>
#include <tsock/trace.hpp>
#include <tsock/watermarks.hpp>
#include <type_traits>

/// Names of the enumerators, texts of values, and `operator<<` for both: for logs and tests. A value that is
/// none of its enumerators is "?", or "unknown". Those of the parts are in `tls/output.hpp` and so on;
/// formatters are in `format.hpp`.
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
[[nodiscard]] constexpr std::string_view name_of(FileMode mode) noexcept {
  switch (mode) {
    case FileMode::read:
      return "read";
    case FileMode::write:
      return "write";
    case FileMode::append:
      return "append";
    case FileMode::read_write:
      return "read_write";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(ChildStream stream) noexcept {
  switch (stream) {
    case ChildStream::socket:
      return "socket";
    case ChildStream::pipes:
      return "pipes";
    case ChildStream::null_device:
      return "null_device";
    case ChildStream::inherit:
      return "inherit";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(ChildErrors errors) noexcept {
  switch (errors) {
    case ChildErrors::inherit:
      return "inherit";
    case ChildErrors::null_device:
      return "null_device";
    case ChildErrors::output:
      return "output";
    case ChildErrors::stream:
      return "stream";
    case ChildErrors::file:
      return "file";
  }
  return "?";
}
[[nodiscard]] constexpr std::string_view name_of(ChildFate fate) noexcept {
  switch (fate) {
    case ChildFate::kill:
      return "kill";
    case ChildFate::leave:
      return "leave";
  }
  return "?";
}
[[nodiscard]] inline std::string_view name_of(TcpState state) noexcept { return tcp_state_name(state); }
[[nodiscard]] inline std::string_view name_of(TraceKind kind) noexcept { return trace_kind_name(kind); }
[[nodiscard]] inline std::string_view name_of(LifecycleKind kind) noexcept {
  return lifecycle_kind_name(kind);
}

/// An enumeration of tsock whose enumerators have names.
template <class E>
concept NamedEnum = std::is_enum_v<E> && requires(E value) {
  name_of(value);
};

/// The events of the set with "|" between them, "none" for an empty one. Throws std::bad_alloc, as the texts
/// below.
[[nodiscard]] inline std::string to_string(PollEvents events) {
  std::string text;
  const auto add = [&](PollEvents event, std::string_view name) {
    if (!intersect(events, event)) return;
    if (!text.empty()) text += '|';
    text += name;
  };
  add(PollEvents::readable, "readable");
  add(PollEvents::writable, "writable");
  add(PollEvents::hang_up, "hang_up");
  add(PollEvents::error, "error");
  return text.empty() ? "none" : text;
}
/// "code 1", "signal 9", "signal 6, core dumped".
[[nodiscard]] inline std::string to_string(const ExitStatus& status) {
  if (status.signal == 0) return "code " + std::to_string(status.code);
  return "signal " + std::to_string(status.signal) + (status.dumped_core ? ", core dumped" : "");
}
/// "pid 4711, uid 1000, gid 1000"; without the pid where there is none.
[[nodiscard]] inline std::string to_string(const PeerCredentials& peer) {
  return (peer.pid ? "pid " + std::to_string(*peer.pid) + ", " : "") + "uid " + std::to_string(peer.uid) +
         ", gid " + std::to_string(peer.gid);
}
[[nodiscard]] inline std::string to_string(const Address& address) { return address.to_string(); }

/// True for a type of tsock that is printed as its `to_string(value)`.
template <class T>
inline constexpr bool is_printable_value = false;
template <>
inline constexpr bool is_printable_value<Address> = true;
template <>
inline constexpr bool is_printable_value<ExitStatus> = true;
template <>
inline constexpr bool is_printable_value<PeerCredentials> = true;
template <>
inline constexpr bool is_printable_value<PollEvents> = true;

/// A value of tsock that has a text.
template <class T>
concept PrintableValue = is_printable_value<T>;

template <NamedEnum E>
std::ostream& operator<<(std::ostream& out, E value) {
  return out << name_of(value);
}
template <PrintableValue T>
std::ostream& operator<<(std::ostream& out, const T& value) {
  return out << to_string(value);
}

}  // namespace tsock::inline v0
