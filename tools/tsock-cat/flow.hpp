#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tsock/address.hpp>
#include <tsock/framing.hpp>
#include <tsock/loop.hpp>
#include <tsock/queue.hpp>
#include <vector>

#include "channel.hpp"
#include "failure.hpp"
#include "report.hpp"

namespace tsock_cat {

/// Where a Flow failed.
enum class Place : std::uint8_t { reading, writing };

/// How a Flow failed.
struct FlowError {
  Place place = Place::reading;
  int err = 0;
  std::string reason = {};  ///< in words, when errno is too little; else empty
  std::size_t cut = 0;      ///< bytes of an incomplete message when the source ended inside of it
};

/// What it means for the user that a flow of this channel has failed.
[[nodiscard]] Failure failure_of(const Channel& channel, const FlowError& error);

/// What a Flow tells. on_done() and on_error() may destroy the Flow, the others must not.
class FlowOwner {
 public:
  FlowOwner() = default;
  FlowOwner(const FlowOwner&) = delete;
  FlowOwner& operator=(const FlowOwner&) = delete;

  /// These bytes go over the network in this direction: they came from there, or are about to be written.
  /// `from` is the sender of the datagram that they came in, empty when they are a stream's.
  virtual void on_bytes(Direction direction, std::span<const std::byte> bytes,
                        const tsock::Address& from) = 0;
  /// An error that the flow goes on after: `size` is that of the datagram which was not sent, 0 when
  /// receiving.
  virtual void on_lost(Direction direction, Place place, int err, std::size_t size) = 0;
  /// The source ended, and everything that it gave is written.
  virtual void on_done(Direction direction) = 0;
  /// What was read before is written.
  virtual void on_error(Direction direction, const FlowError& error) = 0;

 protected:
  ~FlowOwner() = default;
};

/// Moves bytes one way until the source ends. Destroying it stops it at once. Between datagrams, and between
/// datagrams and messages, boundaries are kept; a stream's bytes leave in datagrams as they are read.
class Flow {
 public:
  /// Changes bytes on their way: fills `out`. \return 0 or an errno value, which ends the flow.
  using Change = std::function<int(std::span<const std::byte> in, std::vector<std::byte>& out)>;

  static constexpr std::size_t default_piece_size = std::size_t{64} << 10;

  struct Settings {
    Direction direction = Direction::sent;
    Channel* source = nullptr;
    Channel* sink = nullptr;                  ///< null drops the bytes
    tsock::Queue* queue = nullptr;            ///< for writes, when others write to the sink too
    const tsock::Framing* framing = nullptr;  ///< read messages; `change` gets the body of each
    bool last_may_be_open = false;            ///< the source may end without the last delimiter
    Change change = nullptr;
    std::size_t piece_size = default_piece_size;  ///< most bytes of a stream that are read, and sent, as one
    std::optional<std::uint64_t> most_messages = {};  ///< ends after so many datagrams or messages
    std::optional<std::uint64_t> most_bytes = {};     ///< ends after so many bytes of a stream
    std::optional<std::uint64_t> rate = {};           ///< most bytes a second
    tsock::Loop* loop = nullptr;                      ///< for the rate
    bool is_watched = true;                           ///< the owner is told of all bytes
    bool tells_of_first = true;                       ///< and if not, still of the first ones
  };

  /// Everything that the settings point to, and the owner, must outlive the flow. Bytes that need no change
  /// are moved by `tsock::pump()`.
  static std::unique_ptr<Flow> make(Settings settings, FlowOwner& owner);

  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;
  virtual ~Flow() = default;

  virtual void start() = 0;
  /// Reads no more, as at the end of the source; what was read is still written.
  virtual void end_reading() {}
  /// Bytes that came from the source, as they were on the wire.
  [[nodiscard]] virtual std::uint64_t bytes_read() const = 0;
  /// Bytes that the sink has taken.
  [[nodiscard]] virtual std::uint64_t bytes_written() const = 0;
  /// Datagrams, when the source, or the sink, is one for datagrams.
  [[nodiscard]] virtual std::uint64_t datagrams_read() const { return 0; }
  [[nodiscard]] virtual std::uint64_t datagrams_written() const { return 0; }
  /// Datagrams or messages of a framing, when the flow looks at them.
  [[nodiscard]] virtual std::uint64_t messages_read() const { return 0; }
  /// Bytes that were read and are not written yet.
  [[nodiscard]] virtual std::size_t queued_bytes() const = 0;

 protected:
  Flow() = default;
};

}  // namespace tsock_cat
