#pragma once

#include <memory>
#include <string_view>
#include <tsock/stream_options.hpp>
#include <utility>
#include <vector>

#include "core/stream/stream_follower.hpp"
#include "core/stream/stream_write_side.hpp"

namespace tsock::inline v0::detail {

class StreamDisconnect;

/// The engine behind a Stream. It runs no user code; all completions go through the loop's ready list. This
/// class has what concerns both directions: the life of the stream, its disconnect and its monitor, the
/// events, and what one direction does to the other.
class StreamCore final : public StreamWriteSide {
 public:
  StreamCore(LoopCore& core, std::unique_ptr<StreamBackend> backend, const StreamOptions& options);

  /// Called when the Stream is destroyed: ends requests in progress with ECANCELED, which the loop delivers,
  /// and destroys this object; a disconnect that has ended keeps it until it is delivered.
  void release_stream() noexcept;
  void add_follower(StreamFollower& follower);
  /// Whether a pump uses the stream.
  [[nodiscard]] bool has_followers() const noexcept;
  /// Called when the stream is passed to its disconnect: tells the followers to stop using it.
  void dismiss_followers() noexcept;
  /// The options that apply whatever the backend is.
  [[nodiscard]] StreamOptions behaviour() const noexcept;
  void set_behaviour(const StreamOptions& options);
  /// Closes the stream, whose descriptor or backend is given away.
  void detach_backend() noexcept;
  /// Tells the observer of lifecycles that the descriptor was given away.
  void tell_release() noexcept { tell_end("release_socket", 0); }
  /// Whether the stream can be given away: 0, ENOTCONN, ECONNABORTED while it disconnects, EBUSY.
  [[nodiscard]] int check_idle() const noexcept;
  /// Takes the backend out, with the bytes that were read ahead, so that a layer can stand on it: the caller
  /// attaches itself at once. The stream is closed then, and a monitor ends with ECONNABORTED.
  /// \return null with `err`, nothing having happened: as `check_idle()`, a latched error of reads or writes,
  /// ENOMEM
  std::unique_ptr<StreamBackend> take_backend(std::vector<std::byte>& unread, int& err) noexcept;

  /// Begins anew on `backend`, as a stream that was just made with the same options: for a layer on what
  /// `take_backend()` has given. \return what the stream carried, such as functions of the user, whose
  /// captures may own anything
  [[nodiscard]] std::unique_ptr<StreamExtras> begin_again(std::unique_ptr<StreamBackend> backend) noexcept;

  /// Puts a backend in front of this stream's, which `wrap(below)` is given. Requests go on.
  template <class Wrap>
  void replace_backend(Wrap wrap) {
    backend_ = wrap(std::move(backend_));
    backend_->attach(*this);
    set_behaviour(behaviour());
  }

  void start_disconnect(StreamDisconnect& control);
  /// Tries again after EAGAIN.
  void resume_disconnect() noexcept;
  void start_monitor(StreamControl& control);
  /// Ends the control with `err`.
  void interrupt_control(StreamControl& control, int err) noexcept;
  /// Called when the control is delivered or abandoned.
  void end_control(StreamControl& control) noexcept;
  void abort() noexcept;
  /// Whether operations are outstanding, so that the stream cannot be closed or given away.
  [[nodiscard]] bool is_busy() const noexcept {
    return receiver_ != nullptr || is_writing() || has_waiting() || is_claimed();
  }
  /// Ends, with ECANCELED, all requests but the writes that were started and those that wait in `kept`.
  void cancel_all_but_writes(const QueueCore* kept);

  // What one direction does to the other.
  /// Called when the reader is destroyed or ends without a step of this object. A blocked write may have
  /// waited for it.
  void reader_is_over() noexcept;
  /// With strict_tsocket both directions share one error: called by the one that has met it.
  void share_read_error(int err) noexcept;
  void share_write_error(int err) noexcept;

  // StreamEvents
  void on_readable() noexcept override;
  void on_writable() noexcept override;
  void on_broken(int err) noexcept override;
  void on_shortage(int err) noexcept override;

  // LoopResource
  void describe(std::ostream& out) const override;
  void on_flush() override;
  void on_next_turn() override;
  void loop_closed() noexcept override;
  void for_each_request(void (*visit)(void* context, RequestState& state), void* context) override;

 private:
  ~StreamCore() = default;
  std::unique_ptr<StreamExtras> take_extras() noexcept;
  void tell_end(const char* how, int err, std::string_view reason = {}) noexcept;
  void destroy() noexcept;
  void detach_operations(int err) noexcept;
  void flush();
  void flush_before_next_turn();
  void break_reads(int err);
  void monitor_is_over() noexcept;
  void finish_disconnect(StreamDisconnect& control, int err) noexcept;
};

inline StreamCore& StreamBase::whole() noexcept { return static_cast<StreamCore&>(*this); }

// The resource of a StreamOperation is a stream.
inline StreamCore* StreamOperation::stream() const noexcept { return static_cast<StreamCore*>(resource()); }

}  // namespace tsock::inline v0::detail
