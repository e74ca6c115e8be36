#pragma once

#include <functional>
#include <memory>
#include <tsock/listener_backend.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>

#include "core/loop/loop_core.hpp"

namespace tsock::inline v0::detail {

class ListenerCore;

/// Waits for one connection.
class AcceptState : public ResultState<Stream> {
 public:
  AcceptState(LoopCore& core, CallSite site) : ResultState(core, site) {
    if (!core.watches_lifecycle()) mark(plain_delivery);
  }
  [[nodiscard]] const char* name() const noexcept override { return "accept"; }
  [[nodiscard]] inline ListenerCore* listener() const noexcept;
  void interrupt(int err) override;
  void on_deadline() override;
  void describe(std::ostream& out) const override;

 private:
  void on_abandon() noexcept override;
  void on_delivery() noexcept override;
};

/// The engine behind a Listener.
class ListenerCore final : public LoopResource, public ListenerEvents, public ReadyTask {
 public:
  ListenerCore(LoopCore& core, std::unique_ptr<ListenerBackend> backend, const StreamOptions& accepted);

  [[nodiscard]] LoopCore& core() const noexcept { return *core_; }
  [[nodiscard]] ListenerBackend* backend() const noexcept { return backend_.get(); }
  void start_accept(AcceptState& accept);
  /// Ends `accept` with ECANCELED if it is the one that waits.
  void cancel_accept(const AcceptState& accept) noexcept;
  /// Ends the waiting accept with ECANCELED, for an owner that takes the connections itself from now on.
  void give_up_accepts() noexcept;
  [[nodiscard]] bool is_usable() const noexcept { return backend_ != nullptr && !core_->is_closed(); }
  /// A pointer to this object that becomes null when the listener is destroyed.
  [[nodiscard]] std::shared_ptr<ListenerCore*> handle();
  /// Keeps a connection that was accepted but not taken, for the next accept.
  void give_back(Stream stream) { returned_ = std::move(stream); }
  void set_pause_callback(std::function<void(int)> function);
  [[nodiscard]] bool is_paused() const noexcept { return static_cast<bool>(pause_); }
  /// The number of connections in a row that could not be accepted; 0 while paused, when no more are tried.
  [[nodiscard]] unsigned failed_in_row() const noexcept { return is_paused() ? 0 : failed_in_row_; }
  void release_listener() noexcept;

  void on_acceptable() noexcept override;
  void on_next_turn() override { on_acceptable(); }
  void loop_closed() noexcept override;
  void describe(std::ostream& out) const override;
  /// Calls the pause callback.
  void run() override;

 private:
  ~ListenerCore() = default;
  /// The receiver, which is an accept.
  [[nodiscard]] AcceptState* accept() const noexcept { return static_cast<AcceptState*>(receiver_); }
  void try_accept() noexcept;
  int accept_one() noexcept;
  int accept_stream() noexcept;
  int accept_backend() noexcept;
  void await_acceptable() noexcept;
  void pause(int err);
  void log(const char* what, int err);

  LoopCore* core_;
  std::unique_ptr<ListenerBackend> backend_;
  StreamOptions accepted_;
  Stream returned_;  // accepted but not taken
  Request<void> pause_;
  int pause_error_ = 0;
  unsigned failed_in_row_ = 0;  // connections that could not be accepted
  Clock::time_point next_log_;  // earliest time of the next log line
  std::shared_ptr<ListenerCore*> handle_;
  bool may_have_more_ = false;
  bool gives_backends_ = false;  // and no streams, as it has told
  std::shared_ptr<std::function<void(int)>> pause_callback_;
};

inline ListenerCore* AcceptState::listener() const noexcept { return static_cast<ListenerCore*>(resource()); }

}  // namespace tsock::inline v0::detail
