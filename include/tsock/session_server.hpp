#pragma once

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <tsock/call_site.hpp>
#include <tsock/detail/loop_here.hpp>
#include <tsock/listener.hpp>
#include <tsock/loop.hpp>
#include <tsock/operation.hpp>
#include <tsock/request.hpp>
#include <tsock/stream.hpp>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tsock::inline v0 {

template <class Session>
class SessionServer;

namespace detail {

/// Waits for the end of a server's sessions.
template <class Session>
class ServerEnd final : public Operation<std::size_t> {
 public:
  static constexpr const char* name = "server_end";
  ServerEnd(SessionServer<Session>& server, std::chrono::nanoseconds grace)
      : server_(&server), grace_(grace) {}
  ServerEnd(const ServerEnd&) = delete;
  ServerEnd& operator=(const ServerEnd&) = delete;
  ~ServerEnd() override {
    if (server_ != nullptr && server_->ending_ == this) server_->ending_ = nullptr;
  }

  void start() override {
    if (server_->ending_ != nullptr) {
      server_ = nullptr;
      this->error(EALREADY);
      return;
    }
    server_->ending_ = this;
    this->then(this->loop().sleep(grace_), [this] { server_->abort(); });
    server_->finish_sessions();
  }
  void sessions_ended(std::size_t aborted) { this->done(aborted); }
  void server_gone() {
    server_ = nullptr;
    this->error(ECANCELED);
  }

 private:
  SessionServer<Session>* server_;
  std::chrono::nanoseconds grace_;
};

}  // namespace detail

/// The sessions of a daemon, from accepting to a graceful end: owns listeners and sessions, and ends them in
/// order. `Session` is a class of yours with
///  - `void start()`: called once, when the session is in the server
///  - `void finish()`: no further request is taken; when what is under way has left, the session calls
///    `server.remove(*this)`, at once or later
///
/// A session that ends by itself calls `remove()` as well. Belongs to its loop's thread.
template <class Session>
class SessionServer {
 public:
  explicit SessionServer(Loop& loop) noexcept : loop_(&loop) {}
  SessionServer(const SessionServer&) = delete;
  SessionServer& operator=(const SessionServer&) = delete;
  /// Destroys listeners and sessions at once. An `end()` in progress gives ECANCELED.
  ~SessionServer() {
    if (ending_ != nullptr) std::exchange(ending_, nullptr)->server_gone();
    listeners_.clear();
    clear();
  }

  /// Accepts from a listener until `end()`: `make(Stream)` returns a std::unique_ptr<Session>, which is added
  /// and started; null drops the connection. `on_error(int err)` is called when accepting ends by itself, see
  /// `for_each_accept()`.
  template <class F, class E>
  requires std::is_invocable_v<E&, int>
  void accept_from(Listener listener, F make, E on_error) {
    static_assert(std::is_invocable_r_v<std::unique_ptr<Session>, F&, Stream>,
                  "tsock: accept_from(listener, make): make takes a Stream and returns a "
                  "std::unique_ptr<Session>");
    const auto add_stream = [this, making = std::move(make)](Stream stream) mutable {
      if (std::unique_ptr<Session> session = making(std::move(stream))) add(std::move(session));
    };
    for_each_accept(listener, std::move(add_stream), std::move(on_error));
    listeners_.push_back(std::move(listener));
  }
  /// As above; the end of accepting is only logged.
  template <class F>
  void accept_from(Listener listener, F make) {
    detail::LogAcceptError log(listener);
    accept_from(std::move(listener), std::move(make), std::move(log));
  }

  /// Adds a session and starts it. It may end, and be destroyed, in `start()`.
  void add(std::unique_ptr<Session> session) {
    Session& added = *session;
    sessions_.emplace(&added, std::move(session));
    added.start();
  }
  /// Destroys a session, which may call this as the last thing that it does.
  void remove(const Session& session) {
    const auto place = sessions_.find(&session);
    if (place == sessions_.end()) return;
    const std::unique_ptr<Session> owner = std::move(place->second);
    sessions_.erase(place);
    check_end(0);
  }

  [[nodiscard]] std::size_t size() const noexcept { return sessions_.size(); }
  [[nodiscard]] bool empty() const noexcept { return sessions_.empty(); }
  [[nodiscard]] Loop& loop() const noexcept { return *loop_; }

  /// The graceful end: closes the listeners, calls `finish()` of every session, and waits until all are
  /// removed; those that are left when `grace` is over are destroyed, which closes their connections.
  /// Cancelling and destroying end the waiting only; a further `end()` goes on with a new grace.
  /// \return a request for the number of sessions that were destroyed. Errors:
  ///  - EALREADY: an end is in progress
  ///  - ECANCELED: also when the server was destroyed
  Request<std::size_t> end(std::chrono::nanoseconds grace, CallSite site = CallSite::current()) {
    listeners_.clear();
    return make_request<detail::ServerEnd<Session>>({*loop_, site}, *this, grace);
  }
  /// Closes the listeners and destroys every session now, as after a second signal.
  void abort() {
    listeners_.clear();
    const std::size_t aborted = sessions_.size();
    clear();
    check_end(aborted);
  }

 private:
  friend class detail::ServerEnd<Session>;

  // A session may be removed in `finish()`, its own or that of another.
  void finish_sessions() {
    std::vector<Session*> all;
    all.reserve(sessions_.size());
    for (const auto& [session, owner] : sessions_) all.push_back(owner.get());
    for (Session* const session : all) {
      if (sessions_.contains(session)) session->finish();
    }
    check_end(0);
  }
  void check_end(std::size_t aborted) {
    if (sessions_.empty() && ending_ != nullptr) std::exchange(ending_, nullptr)->sessions_ended(aborted);
  }
  // What a session destroys may remove others.
  void clear() {
    while (!sessions_.empty()) {
      const std::unique_ptr<Session> owner = std::move(sessions_.begin()->second);
      sessions_.erase(sessions_.begin());
    }
  }

  Loop* loop_;
  std::vector<Listener> listeners_;
  std::unordered_map<const Session*, std::unique_ptr<Session>> sessions_;
  detail::ServerEnd<Session>* ending_ = nullptr;
};

}  // namespace tsock::inline v0
