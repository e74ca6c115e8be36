#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <tsock/stream_backend.hpp>

#include "core/loop/loop_core.hpp"
#include "core/stream/stream_attachment.hpp"
#include "core/stream/stream_flags.hpp"
#include "core/stream/stream_operation.hpp"

namespace tsock::inline v0::detail {

class StreamControl;
class StreamCore;
enum class StreamControlKind : std::uint8_t;
struct StreamExtras;
struct StreamLife;

/// What both directions of a stream share: the loop, the backend, the state, and the list of requests that
/// are neither the reader nor a started write.
///
/// A stream is one object of four classes, each of which owns a part of it:
///
///     StreamBase <- StreamReadSide <- StreamWriteSide <- StreamCore
///
/// They derive from one another only to share the object: each class puts its small members where there would
/// be padding behind those of its base, and all members are at known offsets from one pointer. StreamCore has
/// what one direction does to the other, and everything that concerns both.
class StreamBase : public LoopResource, public StreamEvents {
 public:
  [[nodiscard]] LoopCore& core() const noexcept { return *core_; }
  [[nodiscard]] StreamBackend* backend() const noexcept { return backend_.get(); }
  [[nodiscard]] bool is_open() const noexcept { return flags_.state == State::open; }
  /// Whether each write is a message, see StreamTraits::message_size.
  [[nodiscard]] bool has_messages() const noexcept { return flags_.separate_writes; }
  /// True from the call of disconnect until its completion is delivered.
  [[nodiscard]] bool is_disconnecting() const noexcept {
    return flags_.state == State::disconnecting || flags_.state == State::disconnected;
  }
  /// \throws std::bad_alloc; `attachment` is unchanged then
  void keep(std::unique_ptr<StreamAttachment>& attachment);
  [[nodiscard]] const StreamAttachment* attachment() const noexcept;
  /// Has the end of the stream told; without memory it is not.
  void keep_life(std::unique_ptr<StreamLife> life) noexcept;
  [[nodiscard]] bool has_life() const noexcept;
  /// For one who takes the stream's place; null when its end is not told.
  [[nodiscard]] std::unique_ptr<StreamLife> take_life() noexcept;
  /// Adds the operation, which knows this stream, to those that wait in a queue.
  void add_waiting(StreamOperation& operation) noexcept { others_.push_back(operation); }

 protected:
  using State = StreamFlags::State;

  StreamBase(LoopCore& core, std::unique_ptr<StreamBackend> backend) noexcept;
  ~StreamBase();

  /// The whole stream, for the few steps of one direction that concern the other one.
  [[nodiscard]] inline StreamCore& whole() noexcept;
  /// Converts an error for the latches: errno values are small, and anything else from a backend becomes EIO.
  [[nodiscard]] static std::uint16_t fitting(int err) noexcept;
  /// Adds what the backend, a layer, says about its failure to a request that ends with it.
  void explain(RequestState& state) const noexcept;
  /// Makes the extras on the first call.
  StreamExtras& extras();

  // Controls: requests on the whole stream.
  void add_control(StreamControl& control) noexcept;
  void remove_control(StreamControl& control) noexcept;
  [[nodiscard]] StreamControl* find_control(StreamControlKind kind) noexcept;
  /// Ends the control of that kind, if there is one.
  void finish_control(StreamControlKind kind, int err) noexcept;
  void break_monitor(int err) noexcept;
  /// Whether requests wait in queues.
  [[nodiscard]] bool has_waiting() const noexcept;

  // Requests to the loop.
  void schedule_flush() noexcept {
    if (!flags_.flush_scheduled) core_->schedule_flush(*this);
    flags_.flush_scheduled = true;
  }
  void cancel_flush() noexcept;
  void ask_for_next_turn() noexcept;

  // Small, because many streams are idle.
  LoopCore* core_;
  std::unique_ptr<StreamBackend> backend_;
  std::unique_ptr<StreamExtras> extras_;
  NodeList others_;  // controls, and behind them requests that wait in queues
  StreamFlags flags_;
  bool fail_on_first_error_ : 1 = false;
  bool strict_ : 1 = false;
  bool short_is_final_ : 1 = false;
  bool reads_in_next_turn_ : 1 = false;
  bool writes_in_next_turn_ : 1 = false;
  bool released_ : 1 = false;  // the Stream is gone; only an undelivered disconnect refers to this object
};

inline void StreamOperation::set_stream(StreamBase* stream) noexcept { set_resource(stream); }

}  // namespace tsock::inline v0::detail
