#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <tsock/address.hpp>
#include <tsock/call_site.hpp>
#include <tsock/export.hpp>

namespace tsock::inline v0 {

class Loop;

/// Who may inspect, and for how long.
struct InspectOptions {
  unsigned mode = 0600;  ///< permission bits of the socket file: who may connect sees everything
  std::optional<std::string> group = std::nullopt;  ///< owner group of the socket file, a name or a number
  std::size_t most_clients = 8;                     ///< at a time; others wait in the backlog
  /// A client that sends no command, or does not take its answer, is dropped after this time.
  std::chrono::milliseconds silence = std::chrono::seconds(60);
  std::chrono::seconds longest_trace = std::chrono::hours(1);
};

/// Answers those who look into a daemon; see `inspect()`. Lasts until it is destroyed, or its loop is.
class TSOCK_EXPORT Inspection {
 public:
  /// None.
  Inspection() noexcept;
  Inspection(Inspection&& other) noexcept;
  Inspection& operator=(Inspection&& other) noexcept;
  Inspection(const Inspection&) = delete;
  Inspection& operator=(const Inspection&) = delete;
  /// Stops listening, removes the socket file, and drops the clients. Not to be called by a trace function.
  ~Inspection();

  explicit operator bool() const noexcept { return impl_ != nullptr; }
  [[nodiscard]] Address local_address() const;
  /// The number of clients that are connected.
  [[nodiscard]] std::size_t clients() const noexcept;

 private:
  friend Inspection inspect(Loop& loop, const Address& address, const InspectOptions& options, int& err,
                            CallSite site);
  class Impl;
  explicit Inspection(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

/// Listens on a unix path for those who want to look into the daemon: `tsock-cat --inspect unix:PATH`, or by
/// hand `nc -U PATH`. A command is a line:
///  - `dump`, `dump json`: requests in progress, as `Loop::dump()` and `dump_json()`
///  - `metrics`, `metrics json`: as `metrics_text()` and `metrics_json()`
///  - `trace N` or `trace N seconds`: what a TraceWriter writes in N seconds; then the connection ends
///  - `callbacks on`, `callbacks off`: `Loop::start_callback_timing()` and `stop_callback_timing()`
///  - `help`, `quit`
///
/// JSON answers and errors (`error: ...`) are one line; text answers end with an empty line. After a line of
/// more than 255 bytes the connection ends. Commands may be sent ahead; they are answered one by one, and the
/// next one is read when the client has taken the answer, so that no more than one answer a client is in
/// memory.
///
/// The loop works as before: inspecting neither keeps `Loop::run()` from returning nor blocks. It costs what
/// its requests cost, which `dump` shows as any others.
/// \return the Inspection; on failure it is empty and `err` is what `Listener::listen()` gives, also:
///  - EINVAL: not the path of a unix socket (an abstract name has no permission bits)
TSOCK_EXPORT Inspection inspect(Loop& loop, const Address& address, const InspectOptions& options, int& err,
                                CallSite site = CallSite::current());

}  // namespace tsock::inline v0
