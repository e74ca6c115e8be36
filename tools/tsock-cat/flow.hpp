#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <tsock/framing.hpp>
#include <tsock/queue.hpp>
#include <tsock/stream.hpp>
#include <vector>

#include "report.hpp"

namespace tsock_cat {

/// Where a Flow failed.
enum class Place : std::uint8_t { reading, writing };

/// What a Flow tells. on_done() and on_error() may destroy the Flow, on_bytes() must not.
class FlowOwner {
 public:
  FlowOwner() = default;
  FlowOwner(const FlowOwner&) = delete;
  FlowOwner& operator=(const FlowOwner&) = delete;

  /// These bytes go over the network in this direction: they came from there, or are about to be written.
  virtual void on_bytes(Direction direction, std::span<const std::byte> bytes) = 0;
  /// The source ended, and everything that it gave is written.
  virtual void on_done(Direction direction) = 0;
  /// What was read before is written. `cut` is the number of bytes of an incomplete message when the source
  /// ended inside of it.
  virtual void on_error(Direction direction, Place place, int err, std::size_t cut) = 0;

 protected:
  ~FlowOwner() = default;
};

/// Moves bytes one way until the source ends. Destroying it stops it at once.
class Flow {
 public:
  /// Changes bytes on their way: fills `out`. \return 0 or an errno value, which ends the flow.
  using Change = std::function<int(std::span<const std::byte> in, std::vector<std::byte>& out)>;

  struct Settings {
    Direction direction = Direction::sent;
    tsock::Stream* source = nullptr;
    tsock::Stream* sink = nullptr;            ///< null drops the bytes
    tsock::Queue* queue = nullptr;            ///< for writes, when others write to the sink too
    const tsock::Framing* framing = nullptr;  ///< read messages; `change` gets the body of each
    bool last_may_be_open = false;            ///< the source may end without the last delimiter
    Change change = nullptr;
  };

  /// Everything that the settings point to, and the owner, must outlive the flow. Bytes that need no change
  /// are moved by `tsock::pump()`.
  static std::unique_ptr<Flow> make(Settings settings, FlowOwner& owner);

  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;
  virtual ~Flow() = default;

  virtual void start() = 0;
  /// Bytes that came from the source, as they were on the wire.
  [[nodiscard]] virtual std::uint64_t bytes_read() const = 0;
  /// Bytes that the sink has taken.
  [[nodiscard]] virtual std::uint64_t bytes_written() const = 0;
  /// Bytes that were read and are not written yet.
  [[nodiscard]] virtual std::size_t queued_bytes() const = 0;

 protected:
  Flow() = default;
};

}  // namespace tsock_cat
