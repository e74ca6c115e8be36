#include <cerrno>
#include <new>
#include <tsock/sasl/client_session.hpp>
#include <tsock/sasl/server_session.hpp>
#include <tsock/worker.hpp>
#include <utility>

#include "sasl/client_state.hpp"
#include "sasl/server_state.hpp"

namespace tsock::inline v0::sasl {

namespace {

/// Keeps a session for one call.
class Occupation {
 public:
  Occupation(std::shared_ptr<SessionState> state, int& err) noexcept : state_(std::move(state)) {
    err = state_ == nullptr ? EINVAL : state_->try_occupy() ? 0 : EBUSY;
    if (err != 0) state_.reset();
  }
  Occupation(Occupation&& other) noexcept = default;
  Occupation& operator=(Occupation&& other) = delete;
  ~Occupation() { end(); }
  void end() noexcept {
    if (state_ != nullptr) std::exchange(state_, nullptr)->leave();
  }
  template <class State>
  [[nodiscard]] State& get() const noexcept {
    return static_cast<State&>(*state_);
  }

 private:
  std::shared_ptr<SessionState> state_;
};

/// A step that has begun: the session, kept for it, and what it does.
template <class State, class Call>
class BegunStep {
 public:
  BegunStep(Occupation session, int err, Call call)
      : session_(std::move(session)), err_(err), call_(std::move(call)) {}
  Reply operator()(int& err) {
    err = err_;
    if (err != 0) return {};
    try {
      Reply reply = call_(session_.template get<State>(), err);
      session_.end();
      return reply;
    } catch (const std::bad_alloc&) {
      session_.end();
      err = ENOMEM;
      return {};
    }
  }

 private:
  Occupation session_;
  int err_;
  Call call_;
};

template <class State, class Call>
BegunStep<State, Call> begin_step(const std::shared_ptr<SessionState>& state, Call call) {
  int err = 0;
  Occupation session(state, err);
  return {std::move(session), err, std::move(call)};
}

/// Bytes for a step that runs later.
std::shared_ptr<const layer::WipedText> kept(std::span<const std::byte> bytes) {
  return std::make_shared<layer::WipedText>(bytes);
}

template <class State, class Options>
std::shared_ptr<SessionState> open_state(const Options& options, int& err, std::string& reason) {
  try {
    auto state = std::make_shared<State>(options);
    err = state->open();
    reason = state->reason();
    if (err == 0) return state;
  } catch (const std::bad_alloc&) {
    err = ENOMEM;
  }
  return {};
}

}  // namespace

Session::Session() noexcept = default;
Session::Session(std::shared_ptr<SessionState> state) noexcept : state_(std::move(state)) {}
Session::Session(Session&& other) noexcept = default;
Session& Session::operator=(Session&& other) noexcept = default;
Session::~Session() = default;

bool Session::is_done() const noexcept {
  return state_ != nullptr && !state_->is_busy() && state_->is_done();
}

Peer Session::peer() const { return state_ != nullptr && !state_->is_busy() ? state_->peer() : Peer(); }

std::string Session::reason() const {
  return state_ != nullptr && !state_->is_busy() ? state_->reason() : std::string();
}

ClientSession ClientSession::create(const ClientOptions& options, int& err, std::string& reason) {
  return ClientSession(open_state<ClientState>(options, err, reason));
}

Reply ClientSession::start(std::string_view offered, int& err) {
  return begin_step<ClientState>(
      state(), [&](ClientState& client, int& failure) { return client.start(offered, failure); })(err);
}

Reply ClientSession::step(ByteView challenge, int& err) {
  return begin_step<ClientState>(state(), [&](ClientState& client, int& failure) {
    return client.step(challenge.bytes(), failure);
  })(err);
}

Request<Reply> ClientSession::start(detail::LoopHere here, std::string_view offered) {
  auto step = [names = std::string(offered)](ClientState& client, int& failure) {
    return client.start(names, failure);
  };
  return run_on_worker(here, begin_step<ClientState>(state(), std::move(step)));
}

Request<Reply> ClientSession::step(detail::LoopHere here, ByteView challenge) {
  auto step = [bytes = kept(challenge.bytes())](ClientState& client, int& failure) {
    return client.step(bytes->bytes(), failure);
  };
  return run_on_worker(here, begin_step<ClientState>(state(), std::move(step)));
}

ServerSession ServerSession::create(const ServerOptions& options, int& err, std::string& reason) {
  return ServerSession(open_state<ServerState>(options, err, reason));
}

std::vector<std::string> ServerSession::mechanisms() const {
  std::vector<std::string> names;
  int err = 0;
  const Occupation session(state(), err);
  if (err == 0) err = session.get<ServerState>().offer(names);
  if (err != 0) names.clear();
  return names;
}

Reply ServerSession::start(std::string_view mechanism, std::optional<ByteView> initial_response, int& err) {
  std::optional<std::span<const std::byte>> initial;
  if (initial_response) initial = initial_response->bytes();
  return begin_step<ServerState>(state(), [&](ServerState& server, int& failure) {
    return server.start(mechanism, initial, failure);
  })(err);
}

Reply ServerSession::step(ByteView response, int& err) {
  return begin_step<ServerState>(state(), [&](ServerState& server, int& failure) {
    return server.step(response.bytes(), failure);
  })(err);
}

Request<Reply> ServerSession::start(detail::LoopHere here, std::string_view mechanism,
                                    std::optional<ByteView> initial_response) {
  std::shared_ptr<const layer::WipedText> initial;
  if (initial_response) initial = kept(initial_response->bytes());
  auto step = [name = std::string(mechanism), initial](ServerState& server, int& failure) {
    std::optional<std::span<const std::byte>> bytes;
    if (initial != nullptr) bytes = initial->bytes();
    return server.start(name, bytes, failure);
  };
  return run_on_worker(here, begin_step<ServerState>(state(), std::move(step)));
}

Request<Reply> ServerSession::step(detail::LoopHere here, ByteView response) {
  auto step = [bytes = kept(response.bytes())](ServerState& server, int& failure) {
    return server.step(bytes->bytes(), failure);
  };
  return run_on_worker(here, begin_step<ServerState>(state(), std::move(step)));
}

}  // namespace tsock::inline v0::sasl
